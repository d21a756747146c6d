/**
 * Snapshots as bytes: a replica that is made anew from a snapshot now and then, and one that applied every entry, answer alike and hold alike,
 * whatever the entries are.
 */
import assert from "node:assert/strict";
import type { JobId, NewJob, RequestId, Settlement } from "@pq/core/backend";
import { listPage } from "@pq/core/state";
import { describe, expect, it } from "vitest";
import type { Command, Member } from "../src/commands.ts";
import { Replica, type Result } from "../src/replica.ts";
import { decodeSnapshot, encodeSnapshot } from "../src/snapshot-codec.ts";
import { type DeliveredView, storedView } from "../src/views.ts";

const SEEDS = 12;
const STEPS = 400;
const STATES = ["ready", "delayed", "leased", "buried", "done"] as const;
const MEMBERS = [1, 2, 3, 4].map((n) => n.toString(16).padStart(32, "a"));
const NO_BYTES = new Uint8Array(0);

/** Numbers that are the same for the same seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

function jobId(n: number): JobId {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}` as JobId;
}

function requestId(n: number): RequestId {
  return n.toString(16).padStart(32, "0") as RequestId;
}

const PLAIN: NewJob = {
  id: jobId(0), payload: NO_BYTES, priority: 0, urgent: false, due: null, ttl: null, lease: null, key: null, group: null,
  maxAttempts: 3, keepResult: null, headers: "",
}; // prettier-ignore

/** Everything of a replica that may have an effect later, or that somebody may see. */
function dump(replica: Replica): object {
  const { queue, line, takers, damaged, pages, usage, position, fence, nextChange, deliverable } = replica;
  const { paused, order, freshTime, time, counters, jobs } = queue;
  const all = STATES.map((state) =>
    listPage(queue, { state, limit: 100_000, cursor: null }).slots.map((slot) => {
      const { since, moment, order: number, leasedBy, lease, ownLease, keepResult } = jobs.extraIfAny(slot) ?? {};
      const place = [jobs.table.time(slot), jobs.table.sequence(slot), jobs.table.flags(slot) & 7];
      return [storedView(replica, slot), place, since, moment, number, leasedBy, lease, ownLease, keepResult];
    }),
  );
  const idOf = (slot: number): string => jobs.table.id(slot, new Int32Array(4)).join();
  const held = [...takers].filter(([request]) => queue.heldBy(request).length > 0);
  const live = [...pages].filter(([number]) => usage.of(number) > 0).map(([number, page]) => [page, usage.of(number)]);
  return {
    numbers: { position, fence, nextChange, deliverable, paused, order, freshTime, time, counters },
    jobs: { all, held, live },
    answers: [...queue.answers],
    keys: [...jobs.keys].map(([key, slot]) => `${key} ${idOf(slot)}`).toSorted(),
    ready: [...jobs.ready].map(idOf),
    ends: [...jobs.ends].map(idOf),
    damaged: [...damaged],
    line: line.state(),
    stats: replica.stats(),
    members: [...replica.members()].toSorted(),
  };
}

class Run {
  readonly #random: (below: number) => number;
  readonly #whole = new Replica("q");
  #twin = new Replica("q");
  readonly #held: { readonly id: JobId; readonly fence: number }[] = [];
  readonly #ids: JobId[] = [];
  #time = 1_700_000_000_000;
  #counter = 0;
  #position = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  go(): void {
    for (let step = 0; step < STEPS; step++) {
      this.#entry();
      if (this.#random(8) === 0) this.#twin = decodeSnapshot("q", encodeSnapshot(this.#twin));
      if (this.#random(20) === 0) assert.deepEqual(dump(this.#twin), dump(this.#whole));
    }
    assert.deepEqual(dump(this.#twin), dump(this.#whole));
    assert.deepEqual(dump(decodeSnapshot("q", encodeSnapshot(this.#whole))), dump(this.#whole));
  }

  #entry(): void {
    const random = this.#random;
    this.#position += random(40) === 0 ? 1 + random(900) : 1;
    if (random(3) > 0) this.#time += random(6) === 0 ? random(40_000) : random(60) - 10;
    const commands = Array.from({ length: random(4) }, () => this.#command());
    const size = commands.reduce((sum, command) => sum + (command.type === "put" ? command.jobs.length * 50 : 0), 0);
    const guid = random(5) === 0 ? requestId(1_000_000 + this.#position) : null;
    const entry = {
      position: this.#position,
      time: this.#time,
      head: { member: this.#member(), commands },
      page: { headLength: 100, bodyLength: size, guid },
    };
    if (random(60) === 0) for (const { damaged } of [this.#whole, this.#twin]) damaged.add(this.#position);
    const results = this.#whole.apply(entry);
    assert.deepEqual(this.#twin.apply(entry), results);
    for (const result of results) this.#notice(result);
    // One process forgets what another one does not, and none of them acts otherwise for it.
    if (random(10) === 0) this.#whole.prune();
  }

  #notice(result: Result): void {
    if (!Array.isArray(result)) return;
    for (const item of result as readonly unknown[]) {
      if (typeof item !== "object" || item === null || !("job" in item)) continue;
      const { id, fence } = (item as DeliveredView).job;
      this.#held.push({ id, fence });
    }
  }

  #command(): Command {
    const random = this.#random;
    const kind = random(100);
    if (kind < 30) return this.#put();
    if (kind < 50) return this.#take();
    if (kind < 68) return { type: "settle", request: this.#request(), items: this.#settlements() };
    if (kind < 74) {
      const items = this.#pick().map((proof) => ({
        ...proof,
        lease: random(30_000),
        progress: this.#maybe(2, () => Buffer.from("half")),
      }));
      return { type: "touch", request: this.#request(), items };
    }
    if (kind < 82) return this.#control();
    if (kind < 89) return { type: "wait", ticket: random(5) };
    if (kind < 93) return { type: "leave", ticket: random(5) };
    if (kind < 97) return { type: "gone", members: [this.#member()] };
    const [page] = [...this.#whole.pages].map(([, { position }]) => position);
    return { type: "drop", id: this.#ids[random(this.#ids.length + 1)] ?? jobId(0), position: page ?? 0 };
  }

  /** Often a request that was there before, since a process may have forgotten whose it was and another one not. */
  #take(): Command {
    const request = requestId(5_000_000 + this.#random(10));
    return { type: "take", request, limit: 1 + this.#random(4), lease: 1 + this.#random(30_000) };
  }

  #put(): Command {
    const random = this.#random;
    const drawn = Array.from({ length: 1 + random(4) }, () => this.#job());
    const jobs = [...new Map(drawn.map((job) => [job.id, job])).values()].map((job) => ({
      job,
      size: 10 + random(40),
    }));
    return {
      type: "put",
      after: null,
      request: this.#request(),
      maxSize: this.#maybe(4, () => 1 + random(30)),
      partial: random(2) === 0,
      jobs,
    };
  }

  #job(): NewJob {
    const random = this.#random;
    const again = random(15) === 0 && this.#ids.length > 0;
    const id = again ? this.#ids[random(this.#ids.length)]! : jobId(++this.#counter);
    if (!again) this.#ids.push(id);
    if (random(3) === 0) return { ...PLAIN, id };
    const urgent = random(8) === 0;
    const due = (): NewJob["due"] =>
      random(3) === 0 ? { at: this.#time + random(200) - 50 } : { in: random(5) * 4_000 };
    return {
      ...PLAIN,
      id,
      urgent,
      priority: random(3) - 1,
      due: urgent ? null : this.#maybe(3, due),
      ttl: this.#maybe(5, () => 1 + random(4) * 5_000),
      lease: this.#maybe(4, () => 1 + random(10_000)),
      key: this.#maybe(3, () => `k${random(10)}`),
      group: this.#maybe(2, () => `g\u00fc${random(4)}`),
      maxAttempts: 1 + random(4),
      keepResult: this.#maybe(4, () => 1 + random(90_000)),
    };
  }

  #settlements(): Settlement[] {
    const random = this.#random;
    return this.#pick().map((proof) => {
      const kinds = [
        { ...proof, type: "release", delay: random(2) * random(3_000) },
        { ...proof, type: "requeue" },
        { ...proof, type: "fail", delay: random(2) * random(3_000), error: `e${random(9)}` },
        { ...proof, type: "bury", error: random(2) === 0 ? null : "why" },
        { ...proof, type: "ack", result: null },
        { ...proof, type: "ack", result: Buffer.from("result") },
      ] as const;
      return kinds[random(kinds.length)]!;
    });
  }

  #control(): Command {
    const random = this.#random;
    const request = this.#request();
    const ids = Array.from({ length: 1 + random(4) }, () => this.#ids[random(this.#ids.length)] ?? jobId(0));
    const all = [
      { request, type: "kick", limit: 1 + random(4) },
      { request, type: "dig", ids },
      { request, type: "delete", ids },
      { request, type: "pause" },
      { request, type: "resume" },
      { request, type: "resume" },
      { request, type: random(10) === 0 ? "truncate" : "resume" },
    ] as const;
    return { type: "control", params: all[random(all.length)]! };
  }

  #pick(): { readonly id: JobId; readonly fence: number }[] {
    const chosen = new Map<JobId, { readonly id: JobId; readonly fence: number }>();
    for (let left = 1 + this.#random(3); left > 0 && this.#held.length > 0; left--) {
      const [held] = this.#held.splice(this.#random(this.#held.length), 1);
      if (this.#random(4) === 0) this.#held.push(held!);
      chosen.set(held!.id, held!);
    }
    return [...chosen.values()];
  }

  /** Sometimes one that was there before. */
  #request(): RequestId {
    return requestId(this.#random(6) === 0 && this.#counter > 0 ? 1 + this.#random(this.#counter) : ++this.#counter);
  }

  #member(): Member {
    return MEMBERS[this.#random(MEMBERS.length)]!;
  }

  #maybe<T>(one: number, value: () => T): T | null {
    return this.#random(one) === 0 ? value() : null;
  }
}

/** A replica with so many plain jobs, in entries of 100. */
function plain(count: number): Replica {
  const replica = new Replica("q");
  for (let at = 0; at < count; at += 100) {
    const jobs = Array.from({ length: 100 }, (_, index) => ({ job: { ...PLAIN, id: jobId(at + index) }, size: 50 }));
    const command: Command = { type: "put", after: null, request: requestId(at), maxSize: null, partial: false, jobs };
    const head = { member: MEMBERS[0]!, commands: [command] };
    replica.apply({
      position: at / 100,
      time: 1_700_000_000_000 + at,
      head,
      page: { headLength: 10, bodyLength: 5000, guid: null },
    });
  }
  return replica;
}

describe("a snapshot", () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))("keeps all that matters: seed %i", (seed) => {
    new Run(seed).go();
  });

  it("of an empty queue", () => {
    const replica = new Replica("q");
    assert.deepEqual(dump(decodeSnapshot("q", encodeSnapshot(replica))), dump(replica));
  });

  it("takes about 50 bytes for a plain job, in chunks that fit into nodes", () => {
    const count = Number(process.env["PQ_ZK_SNAPSHOT_JOBS"] ?? 50_000);
    const replica = plain(count);
    let last = performance.now();
    const lap = (): number => -last + (last = performance.now());
    const chunks = encodeSnapshot(replica);
    const encoded = lap();
    const again = decodeSnapshot("q", chunks);
    const decoded = lap();
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (count > 100_000) process.stdout.write(`${JSON.stringify({ bytes: bytes / count, encoded, decoded })}\n`);
    expect(bytes / count).toBeLessThan(60);
    expect(Math.max(...chunks.map(({ length }) => length))).toBe(900 * 1024);
    assert.deepEqual(again.stats(), replica.stats());
    assert.deepEqual([...again.queue.jobs.ready].length, count);
  });

  it("is refused when any byte of it is another, or a piece is missing", () => {
    const chunks = encodeSnapshot(plain(20_000));
    expect(chunks.length).toBeGreaterThan(1);
    for (const at of [0, 3, 4, 10, 5_000, chunks[1]!.length - 1]) {
      const damaged = [chunks[0]!, Buffer.from(chunks[1]!)];
      damaged[1]![at]! ^= 16;
      expect(() => decodeSnapshot("q", damaged)).toThrow(/damaged: chunk 1 of 2/);
    }
    for (const wrong of [[], chunks.slice(0, 1), chunks.slice(1), [...chunks, chunks[1]!]]) {
      expect(() => decodeSnapshot("q", wrong)).toThrow(expect.objectContaining({ name: "PqError" }));
    }
  });
});
