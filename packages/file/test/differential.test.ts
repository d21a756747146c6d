/** Random calls against the reference store on the same clock: every answer must be the same, also across crashes and reopenings. */
import assert from "node:assert/strict";
import type { DeliveredJob, JobId, NewJob, RequestId, Settlement, StoredJob } from "@pq/core/backend";
import { crc32c } from "@pq/core/state";
import { ManualClock, ReferenceQueue } from "@pq/core/testing";
import { describe, it } from "vitest";
import { FileBackend } from "../src/backend.ts";
import { resolveOptions } from "../src/options.ts";
import { folder, randomFrom, testId, testRequest } from "./support.ts";

const SEEDS = Number(process.env["PQ_FILE_SEEDS"] ?? 40);
const STEPS = 250;

interface Held {
  readonly id: JobId;
  readonly theirs: number;
  readonly ours: number;
}

class Run {
  readonly #random: (below: number) => number;
  readonly #clock = new ManualClock();
  readonly #reference = new ReferenceQueue();
  readonly #backend: FileBackend;
  readonly #held: Held[] = [];
  readonly #ids: JobId[] = [];
  /** A crash may lose what was counted in the last second, when compaction has moved the jobs. */
  readonly #exact: boolean;
  #counter = 0;

  constructor(seed: number, path: string) {
    this.#random = randomFrom(seed);
    this.#exact = seed % 2 === 0;
    const segmentBytes = this.#exact ? 1024 * 1024 : 64 * 1024;
    this.#backend = new FileBackend(
      resolveOptions({ path, clock: this.#clock, segmentBytes, reserveBytes: 0, durability: "process" }),
    );
  }

  async go(): Promise<void> {
    await this.#open();
    for (let step = 0; step < STEPS; step++) await this.#step();
    await this.#compareAll();
    await this.#backend.close();
  }

  async #open(): Promise<void> {
    await this.#backend.open({ report: (event) => assert.fail(event.message) });
  }

  async #step(): Promise<void> {
    const kind = this.#random(100);
    if (kind < 30) await this.#put();
    else if (kind < 50) await this.#take();
    else if (kind < 70) await this.#settle();
    else if (kind < 75) await this.#touch();
    else if (kind < 83) await this.#control();
    else if (kind < 93) await this.#clock.advance(this.#random(3) === 0 ? this.#random(60_000) : this.#random(50));
    else if (kind < 96) await this.#restart();
    else await this.#compareAll();
  }

  async #put(): Promise<void> {
    const drawn = Array.from({ length: 1 + this.#random(4) }, () => this.#job());
    const jobs = [...new Map(drawn.map((job) => [job.id, job])).values()];
    const maxSize = this.#random(4) === 0 ? 1 + this.#random(15) : null;
    const partial = this.#random(2) === 0;
    const params = { request: this.#request(), after: null, queue: "q", jobs, maxSize, partial, transaction: null };
    const expected = this.#reference.put(params, this.#clock.now());
    assert.deepEqual(await this.#backend.put(params), expected, "put");
    if (this.#random(5) === 0) assert.deepEqual(await this.#backend.put(params), expected, "repeated put");
  }

  #job(): NewJob {
    const random = this.#random;
    const maybe = <T>(one: number, value: () => T): T | null => (random(one) === 0 ? value() : null);
    const again = random(15) === 0 && this.#ids.length > 0;
    const id = again ? this.#ids[random(this.#ids.length)]! : testId(++this.#counter);
    if (!again) this.#ids.push(id);
    const urgent = random(8) === 0;
    return {
      id,
      payload: Buffer.alloc(random(6) === 0 ? 12_000 : random(30), this.#counter),
      priority: random(3) - 1,
      urgent,
      due: urgent
        ? null
        : maybe(3, () => (random(3) === 0 ? { at: this.#clock.now() + random(200) - 50 } : { in: random(200) })),
      ttl: maybe(5, () => 1 + random(20_000)),
      lease: maybe(4, () => 1 + random(10_000)),
      key: maybe(3, () => `k${random(10)}`),
      group: maybe(2, () => `g${random(4)}`),
      maxAttempts: 1 + random(4),
      keepResult: maybe(4, () => 1 + random(20_000)),
      headers: random(4) === 0 ? "h1" : "",
    };
  }

  async #take(): Promise<void> {
    const params = {
      request: this.#request(),
      queue: "q",
      limit: 1 + this.#random(5),
      lease: 1 + this.#random(20_000),
    };
    const expected = this.#reference.take(params, this.#clock.now());
    const got = await this.#backend.take(params);
    assert.deepEqual(got.map(comparable), expected.map(comparable), "take");
    if (this.#random(3) === 0) {
      assert.deepEqual(
        await this.#backend.take(params).then((jobs) => jobs.map(comparable)),
        this.#reference.take(params, this.#clock.now()).map(comparable),
        "repeated take",
      );
    }
    got.forEach(({ id, fence }, index) => this.#held.push({ id, ours: fence, theirs: expected[index]!.fence }));
  }

  #pick(): Held[] {
    const chosen = new Map<JobId, Held>();
    for (let left = 1 + this.#random(3); left > 0 && this.#held.length > 0; left--) {
      const [held] = this.#held.splice(this.#random(this.#held.length), 1);
      if (this.#random(6) === 0) this.#held.push(held!);
      chosen.set(held!.id, held!);
    }
    return [...chosen.values()];
  }

  async #settle(): Promise<void> {
    const held = this.#pick();
    if (held.length === 0) return;
    const items = held.map(({ id, ours }) => this.#settlement(id, ours));
    const request = this.#request();
    const expected = this.#reference.settle(
      items.map((item, index) => ({ ...item, fence: held[index]!.theirs })),
      this.#clock.now(),
    );
    assert.deepEqual(await this.#backend.settle({ request, queue: "q", items }), expected, "settle");
    if (this.#random(5) === 0) {
      assert.deepEqual(await this.#backend.settle({ request, queue: "q", items }), expected, "repeated settle");
    }
  }

  #settlement(id: JobId, fence: number): Settlement {
    switch (this.#random(6)) {
      case 0:
        return { id, fence, type: "release", delay: this.#random(2) * this.#random(300) };
      case 1:
        return { id, fence, type: "requeue" };
      case 2:
        return { id, fence, type: "fail", delay: this.#random(2) * this.#random(300), error: `e${this.#random(9)}` };
      case 3:
        return { id, fence, type: "bury", error: this.#random(2) === 0 ? null : "why" };
      default:
        return { id, fence, type: "ack", result: this.#random(2) === 0 ? null : Buffer.from("result") };
    }
  }

  async #touch(): Promise<void> {
    const items = this.#pick().map(({ id, ours, theirs }) => {
      this.#held.push({ id, ours, theirs });
      return {
        id,
        fence: ours,
        theirs,
        lease: this.#random(30_000),
        progress: this.#random(2) === 0 ? null : Buffer.from("p"),
      };
    });
    if (items.length === 0) return;
    const expected = this.#reference.touch(
      items.map((item) => ({ ...item, fence: item.theirs })),
      this.#clock.now(),
    );
    assert.deepEqual(await this.#backend.touch({ request: this.#request(), queue: "q", items }), expected, "touch");
  }

  async #control(): Promise<void> {
    const base = { request: this.#request(), queue: "q" } as const;
    const ids = Array.from(
      { length: 1 + this.#random(4) },
      () => this.#ids[this.#random(this.#ids.length)] ?? testId(0),
    );
    const all = [
      { ...base, type: "kick", limit: 1 + this.#random(4) },
      { ...base, type: "dig", ids },
      { ...base, type: "delete", ids },
      { ...base, type: "pause" },
      { ...base, type: "resume" },
      { ...base, type: "resume" },
      { ...base, type: this.#random(4) === 0 ? "truncate" : "resume" },
    ] as const;
    const params = all[this.#random(all.length)]!;
    const expected = this.#reference.control(params, this.#clock.now());
    assert.deepEqual(await this.#backend.control(params), expected, params.type);
  }

  async #restart(): Promise<void> {
    if (this.#random(2) === 0) await this.#backend.crash();
    else await this.#backend.close();
    await this.#open();
    await this.#compareAll();
  }

  async #compareAll(): Promise<void> {
    const now = this.#clock.now();
    const [stats, expected] = [await this.#backend.stats("q"), this.#reference.stats(now)];
    assert.deepEqual(stats, this.#exact ? expected : { ...expected, counters: stats.counters }, "stats");
    for (const state of ["ready", "delayed", "leased", "buried", "done"] as const) {
      const expected = this.#reference.read({ queue: "q", state, limit: 1000, cursor: null }, now).jobs;
      const got: StoredJob[] = [];
      let cursor: string | null = null;
      const limit = 1 + this.#random(20);
      do {
        const page = await this.#backend.read({ queue: "q", state, limit, cursor });
        got.push(...page.jobs);
        cursor = page.cursor;
      } while (cursor !== null);
      assert.deepEqual(got.map(storedComparable), expected.map(storedComparable), `list ${state}`);
    }
  }

  #request(): RequestId {
    return testRequest(++this.#counter);
  }
}

function show(payload: Uint8Array): string {
  const hex = Buffer.from(payload).toString("hex");
  return hex.length < 50 ? hex : `${hex.slice(0, 10)}... ${payload.length} ${crc32c(payload)}`;
}

function comparable({ fence: _fence, payload, progress, ...rest }: DeliveredJob): object {
  return { ...rest, payload: show(payload), progress: progress && Buffer.from(progress).toString("hex") };
}

function storedComparable({ fence, payload, progress, result, ...rest }: StoredJob): object {
  const hex = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString("hex");
  return { ...rest, fence: fence > 0, payload: show(payload), progress: hex(progress), result: hex(result) };
}

describe("random calls answer as the reference store does", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`seed ${seed}`, async () => {
      await using tmp = await folder();
      await new Run(seed, tmp.path).go();
    });
  }
});
