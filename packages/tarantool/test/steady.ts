/** Hands that put, take and ack through whatever befalls the connection: each call is made again, as the same one, until it is answered. */
import { type Backend, isPqError, type JobId, newRequestId, sleep, systemClock } from "@pq/core/backend";
import { newJob, type Dice } from "./support.ts";

/** The largest payload: replies with it come in many pieces. */
const LARGEST = 400 * 1024;

/** What happened to the jobs of one queue. */
export class Steady {
  readonly put: Set<JobId> = new Set();
  readonly acked: Set<JobId> = new Set();
  /** Delivered after they were acked. */
  readonly twice: JobId[] = [];
  /** Jobs whose lease was somebody else's when they were acked. */
  lost = 0;
  /** Tries that failed, by their code. */
  readonly failures: Map<string, number> = new Map();
  /** The longest that one try took, in ms. */
  longest = 0;
  readonly #queue: string;
  readonly #dice: Dice;
  #over = false;

  constructor(queue: string, dice: Dice) {
    this.#queue = queue;
    this.#dice = dice;
  }

  /** Work until `stop`. */
  async work(backend: Backend): Promise<void> {
    while (!this.#over) {
      await this.#putSome(backend);
      await this.#takeSome(backend, 1 + this.#dice.below(3));
    }
  }

  stop(): void {
    this.#over = true;
  }

  /** Take and ack what is left. */
  async rest(backend: Backend): Promise<void> {
    while (await this.#takeSome(backend, 100));
  }

  async #putSome(backend: Backend): Promise<void> {
    const jobs = Array.from({ length: 1 + this.#dice.below(3) }, () => this.#job());
    const fixed = { request: newRequestId(), after: null, queue: this.#queue, jobs, transaction: null };
    const outcomes = await this.#again(() => backend.put({ ...fixed, maxSize: null, partial: false }));
    for (const [at, { status }] of outcomes.entries()) {
      if (status !== "added") throw new Error(`a new job was ${status}`);
      this.put.add(jobs[at]!.id);
    }
  }

  #job(): ReturnType<typeof newJob> {
    const size = this.#dice.once(4) ? this.#dice.below(LARGEST) : this.#dice.below(200);
    return newJob(Buffer.alloc(size, "x"));
  }

  async #takeSome(backend: Backend, limit: number): Promise<boolean> {
    const params = { request: newRequestId(), queue: this.#queue, limit, lease: 600_000 };
    const jobs = await this.#again(() => backend.take(params));
    if (jobs.length === 0) return false;
    for (const { id } of jobs) if (this.acked.has(id)) this.twice.push(id);
    const items = jobs.map(({ id, fence }) => ({ id, fence, type: "ack" as const, result: null }));
    const settle = { request: newRequestId(), queue: this.#queue, items };
    const outcomes = await this.#again(() => backend.settle(settle));
    for (const [at, outcome] of outcomes.entries()) {
      if (outcome === "gone") this.acked.add(jobs[at]!.id);
      else this.lost++;
    }
    return true;
  }

  async #again<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      const began = systemClock.monotonic();
      try {
        return await call();
      } catch (error) {
        if (!isPqError(error, "UNAVAILABLE") && !isPqError(error, "OUTCOME_UNKNOWN")) throw error;
        this.failures.set(error.code, (this.failures.get(error.code) ?? 0) + 1);
      } finally {
        this.longest = Math.max(this.longest, systemClock.monotonic() - began);
      }
      await sleep(systemClock, 5);
    }
  }

  /** For people. */
  toString(): string {
    const failures = [...this.failures].map(([code, times]) => `${times} ${code}`).join(", ");
    return `${this.put.size} put, ${this.acked.size} acked, ${this.lost} lost; tries that failed: ${failures || "none"}`;
  }
}
