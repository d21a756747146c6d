/**
 * Random calls to the engine, to a twin of it that is rebuilt from a snapshot now and then, and to the reference: every answer, all
 * counts and all orders must be the same, and the twins must be the same in everything that they hold.
 */
import assert from "node:assert/strict";
import { describe, it } from "vitest";
import type { ControlParams } from "../../src/backend.ts";
import type { JobId, NewJob, StoredJob } from "../../src/job.ts";
import { ReferenceQueue } from "../../src/testing/index.ts";
import { Engine, type KnownJob } from "./engine.ts";
import { randomFrom, testId, testRequest } from "./support.ts";

const SEEDS = Number(process.env["PQ_STATE_SEEDS"] ?? 15);
const STEPS = 250;
const STATES = ["ready", "delayed", "leased", "buried", "done"] as const;

class Run {
  readonly #random: (below: number) => number;
  readonly #reference = new ReferenceQueue();
  readonly #engine = new Engine();
  readonly #twin = new Engine();
  readonly #held: { readonly id: JobId; readonly fence: number }[] = [];
  readonly #ids: JobId[] = [];
  #now = 1_000_000;
  #counter = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  go(): void {
    for (let step = 0; step < STEPS; step++) this.#step();
    this.#compareAll();
  }

  #step(): void {
    const kind = this.#random(100);
    if (kind < 30) this.#put();
    else if (kind < 50) this.#take();
    else if (kind < 70) this.#settle();
    else if (kind < 75) this.#touch();
    else if (kind < 83) this.#control();
    else if (kind < 93) this.#now += this.#random(3) === 0 ? this.#random(60_000) : this.#random(50);
    else if (kind < 96) this.#twin.rebuild((items) => this.#shuffled(items));
    else this.#compareAll();
  }

  /** The answer of all three, which must be one. */
  #same<T>(what: string, call: (queue: Engine) => T, expected: unknown): T {
    const answer = call(this.#engine);
    assert.deepEqual(answer, expected, what);
    assert.deepEqual(call(this.#twin), expected, `${what} of the twin`);
    return answer;
  }

  #put(): void {
    const drawn = Array.from({ length: 1 + this.#random(4) }, () => this.#job());
    const jobs = [...new Map(drawn.map((job) => [job.id, job])).values()];
    const maxSize = this.#random(4) === 0 ? 1 + this.#random(15) : null;
    const params = { jobs, maxSize, partial: this.#random(2) === 0 };
    this.#same("put", (queue) => queue.put(params, this.#now), this.#reference.put(params, this.#now));
    const request = testRequest(++this.#counter);
    for (const { queue } of [this.#engine, this.#twin]) {
      queue.answers.remember(request, this.#now, jobs.length, [maxSize]);
    }
  }

  #job(): NewJob {
    const random = this.#random;
    const maybe = <T>(one: number, value: () => T): T | null => (random(one) === 0 ? value() : null);
    const again = random(15) === 0 && this.#ids.length > 0;
    const id = again ? this.#ids[random(this.#ids.length)]! : testId(++this.#counter);
    if (!again) this.#ids.push(id);
    const urgent = random(8) === 0;
    const due = (): NewJob["due"] => (random(3) === 0 ? { at: this.#now + random(200) - 50 } : { in: random(5) * 40 });
    return {
      id,
      payload: new Uint8Array(),
      priority: random(3) - 1,
      urgent,
      due: urgent ? null : maybe(3, due),
      // Few different ones, so that many end at one moment.
      ttl: maybe(5, () => 1 + random(4) * 5_000),
      lease: maybe(4, () => 1 + random(10_000)),
      key: maybe(3, () => `k${random(10)}`),
      group: maybe(2, () => `g${random(4)}`),
      maxAttempts: 1 + random(4),
      keepResult: maybe(4, () => 1 + random(20_000)),
      headers: "",
    };
  }

  #take(): void {
    const random = this.#random;
    const again = random(3) === 0 && this.#counter > 0;
    const request = testRequest(again ? 1 + random(this.#counter) : ++this.#counter);
    const params = { request, limit: 1 + random(5), lease: 1 + random(20_000) };
    const expected = this.#reference.take(params, this.#now).map(({ id }) => this.#stored(id));
    const got = this.#same("take", (queue) => queue.take(params, this.#now), expected);
    for (const { id, fence } of got) this.#held.push({ id, fence: fence as number });
  }

  #pick(): { readonly id: JobId; readonly fence: number }[] {
    const chosen = new Map<JobId, { readonly id: JobId; readonly fence: number }>();
    for (let left = 1 + this.#random(3); left > 0 && this.#held.length > 0; left--) {
      const [held] = this.#held.splice(this.#random(this.#held.length), 1);
      if (this.#random(6) === 0) this.#held.push(held!);
      chosen.set(held!.id, held!);
    }
    return [...chosen.values()];
  }

  #settle(): void {
    const random = this.#random;
    const items = this.#pick().map((proof) => {
      const kinds = [
        { ...proof, type: "release", delay: random(2) * random(300) },
        { ...proof, type: "requeue" },
        { ...proof, type: "fail", delay: random(2) * random(300), error: `e${random(9)}` },
        { ...proof, type: "bury", error: random(2) === 0 ? null : "why" },
        { ...proof, type: "ack", result: null },
        { ...proof, type: "ack", result: Buffer.from("result") },
      ] as const;
      return kinds[random(kinds.length)]!;
    });
    this.#same("settle", (queue) => queue.settle(items, this.#now), this.#reference.settle(items, this.#now));
  }

  #touch(): void {
    const items = this.#pick().map((proof) => {
      this.#held.push(proof);
      return { ...proof, lease: this.#random(30_000), progress: this.#random(2) === 0 ? null : Buffer.from("p") };
    });
    this.#same("touch", (queue) => queue.touch(items, this.#now), this.#reference.touch(items, this.#now));
  }

  #control(): void {
    const random = this.#random;
    const ids = Array.from({ length: 1 + random(4) }, () => this.#ids[random(this.#ids.length)] ?? testId(0));
    const base = { request: testRequest(0), queue: "q" };
    const all: readonly ControlParams[] = [
      { ...base, type: "kick", limit: 1 + random(4) },
      { ...base, type: "dig", ids },
      { ...base, type: "delete", ids },
      { ...base, type: "pause" },
      { ...base, type: "resume" },
      { ...base, type: "resume" },
      { ...base, type: random(4) === 0 ? "truncate" : "resume" },
    ];
    const params = all[random(all.length)]!;
    this.#same(params.type, (queue) => queue.control(params, this.#now), this.#reference.control(params, this.#now));
  }

  #compareAll(): void {
    const now = this.#now;
    this.#same("stats", (queue) => queue.stats(now), this.#reference.stats(now));
    for (const state of STATES) {
      const { jobs } = this.#reference.read({ queue: "q", state, limit: 1000, cursor: null }, now);
      const limit = 1 + this.#random(20);
      this.#same(`list ${state}`, (queue) => queue.list(state, limit, now), jobs.map(known));
    }
    assert.deepEqual(this.#twin.dump(now), this.#engine.dump(now), "the twins");
  }

  #stored(id: JobId): KnownJob {
    const [job] = this.#reference.read({ queue: "q", ids: [id] }, this.#now).jobs;
    return known(job!);
  }

  #shuffled<T>(items: T[]): T[] {
    for (let at = items.length - 1; at > 0; at--) {
      const other = this.#random(at + 1);
      [items[at], items[other]] = [items[other]!, items[at]!];
    }
    return items;
  }
}

function known({
  payload: _payload,
  headers: _headers,
  createdAt: _createdAt,
  progress,
  result,
  ...rest
}: StoredJob): KnownJob {
  return {
    ...rest,
    progress: progress && Buffer.from(progress).toString(),
    result: result && Buffer.from(result).toString(),
  };
}

describe("the engine, its twin and the reference", () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))("seed %i", (seed) => {
    new Run(seed).go();
  });
});
