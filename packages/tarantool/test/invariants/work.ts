/** Random work on a few queues, by hands that do all there is to do, and by processes that go away. */
import {
  type Backend,
  type DeliveredJob,
  isPqError,
  type JobId,
  type NewJob,
  newRequestId,
  type Settlement,
} from "@pq/core/backend";
import { eventually, type FaultProxy } from "@pq/core/testing";
import type { TarantoolOptions } from "../../src/index.ts";
import { type Dice, newJob, type Site } from "../support.ts";

const QUEUES = ["one", "two", "__proto__"];
const LARGE = Buffer.alloc(300 * 1024, "large");
const MEDIUM = Buffer.alloc(10 * 1024, "medium");
/** Calls that may fail when a line is cut. */
const FAULTS: readonly string[] = ["UNAVAILABLE", "OUTCOME_UNKNOWN", "CLOSED"];

/** What hands share. */
export interface Place {
  readonly site: Site;
  readonly proxy: FaultProxy;
  readonly options: TarantoolOptions;
  readonly dice: Dice;
}

/** A pair of hands, on a connection that is made anew now and then. */
export class Hand {
  readonly #place: Place;
  #backend: Backend;
  #queue = QUEUES[0]!;
  readonly #ids: JobId[] = [];
  #held: DeliveredJob[] = [];
  calls = 0;

  private constructor(place: Place, backend: Backend) {
    this.#place = place;
    this.#backend = backend;
  }

  static async start(place: Place): Promise<Hand> {
    return new Hand(place, await connect(place));
  }

  /** So many calls. */
  async work(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const { dice } = this.#place;
      this.#queue = dice.of(QUEUES);
      try {
        await this.#step();
      } catch (error) {
        if (!isPqError(error) || !FAULTS.includes(error.code)) throw error;
      }
      this.calls++;
    }
  }

  /** Everything goes, and nobody holds anything. */
  async finish(): Promise<void> {
    await this.#backend.close();
  }

  async #step(): Promise<void> {
    const { dice, proxy } = this.#place;
    const way = dice.below(100);
    if (way < 35) return void (await this.#put());
    if (way < 60) return this.#take();
    if (way < 82) return this.#settle();
    if (way < 88) return this.#touch();
    if (way < 96) return void (await this.#control());
    if (way < 98) return this.#wait();
    if (way < 99) return proxy.cut();
    // Another process: what this one held comes back.
    await this.#backend.close();
    this.#backend = await connect(this.#place);
  }

  #put(): Promise<unknown> {
    const { dice } = this.#place;
    const jobs = Array.from({ length: 1 + dice.below(4) }, () => this.#job());
    const params = { request: newRequestId(), after: null, queue: this.#queue, jobs, transaction: null };
    return this.#twice(() =>
      this.#backend.put({ ...params, maxSize: dice.once(5) ? 20 : null, partial: dice.once(2) }),
    );
  }

  #job(): NewJob {
    const { dice } = this.#place;
    const urgent = dice.once(10);
    const job = newJob(dice.once(12) ? dice.of([MEDIUM, LARGE]) : "small", {
      urgent,
      group: dice.once(2) ? dice.of(["g", "h", "__proto__"]) : null,
      key: dice.once(4) ? dice.of(["k", "l", "m"]) : null,
      ttl: dice.once(4) ? 1 + dice.below(60) : null,
      due: urgent ? null : dice.of([null, null, { in: dice.below(30) }, { at: 5 }]),
      lease: dice.once(8) ? 1 + dice.below(30) : null,
      priority: dice.below(3) - 1,
      maxAttempts: 1 + dice.below(3),
      keepResult: dice.once(3) ? dice.below(40) + 1 : null,
      // An id may come again.
      ...(this.#ids.length > 0 && dice.once(6) && { id: dice.of(this.#ids) }),
    });
    this.#ids.push(job.id);
    if (this.#ids.length > 40) this.#ids.shift();
    return job;
  }

  async #take(): Promise<void> {
    const { dice } = this.#place;
    const params = { request: newRequestId(), queue: this.#queue, limit: 1 + dice.below(5) };
    const lease = dice.of([5, 30, 60_000]);
    this.#held.push(...(await this.#twice(() => this.#backend.take({ ...params, lease }))));
    if (this.#held.length > 60) this.#held = this.#held.slice(-30);
  }

  async #settle(): Promise<void> {
    const { dice } = this.#place;
    const items = distinct(this.#held.splice(0, 1 + dice.below(4))).map(({ id, fence }) => this.#way(id, fence));
    if (items.length === 0) return;
    const params = { request: newRequestId(), queue: this.#queue, items };
    await this.#twice(() => this.#backend.settle(params));
  }

  #way(id: JobId, fence: number): Settlement {
    const { dice } = this.#place;
    const delay = dice.once(2) ? 0 : dice.below(30);
    const text = dice.once(6) ? "e".repeat(20_000) : "why";
    return dice.of<Settlement>([
      { id, fence, type: "ack", result: null },
      { id, fence, type: "ack", result: dice.once(3) ? MEDIUM : Buffer.from("r") },
      { id, fence, type: "release", delay },
      { id, fence, type: "requeue" },
      { id, fence, type: "fail", delay, error: text },
      { id, fence, type: "bury", error: dice.once(2) ? null : text },
    ]);
  }

  async #touch(): Promise<void> {
    const { dice } = this.#place;
    const items = distinct(this.#held.slice(0, 3)).map(({ id, fence }) => {
      const progress = dice.once(2) ? null : dice.of([Buffer.from("half"), MEDIUM]);
      return { id, fence, lease: dice.below(60), progress };
    });
    if (items.length > 0) await this.#backend.touch({ request: newRequestId(), queue: this.#queue, items });
  }

  #control(): Promise<unknown> {
    const { dice } = this.#place;
    const call = { request: newRequestId(), queue: this.#queue };
    const ids = [...new Set(this.#ids.slice(0, 1 + dice.below(5)))];
    const way = dice.below(20);
    return this.#twice<unknown>(() => {
      if (way < 5) return this.#backend.control({ ...call, type: "kick", limit: 1 + dice.below(6) });
      if (ids.length > 0 && way < 9) return this.#backend.control({ ...call, type: "dig", ids });
      if (ids.length > 0 && way < 14) return this.#backend.control({ ...call, type: "delete", ids });
      if (way < 16) return this.#backend.control({ ...call, type: "truncate" });
      if (way < 17) return this.#backend.control({ ...call, type: "pause" });
      return this.#backend.control({ ...call, type: "resume" });
    });
  }

  async #wait(): Promise<void> {
    const { dice } = this.#place;
    const signal = dice.once(2) ? AbortSignal.timeout(10) : new AbortController().signal;
    await this.#backend.wait({ queue: this.#queue, timeout: 20, signal });
  }

  /** Now and then the same call again, by another or at once. */
  async #twice<T>(call: () => Promise<T>): Promise<T> {
    if (this.#place.dice.once(6)) await Promise.all([call(), call()]);
    return call();
  }
}

async function connect({ site, proxy, options }: Place): Promise<Backend> {
  const { host, port } = proxy;
  const backend = site.unopened({ host, port, ...options });
  await eventually(() => backend.open({ report: () => undefined }));
  return backend;
}

/** Each job once. */
function distinct(jobs: readonly DeliveredJob[]): DeliveredJob[] {
  return [...new Map(jobs.map((job) => [job.id, job])).values()];
}
