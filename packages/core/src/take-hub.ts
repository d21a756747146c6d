/**
 * Waiting for jobs. However many consumers of a queue wait in this process, one call of `backend.wait` waits for all (P14).
 *
 *     consumer: take --jobs--> done
 *                    --none--> waits here
 *     watch (while anybody waits): wait --resolved, or safety net--> take for those who wait --> hand out in the order of waiting
 *
 * No wake-up is lost: `wait` resolves at once while a job is ready, so a job that came before it, unseen by any take, ends the wait under
 * way or the next. So a consumer that waits for ever need not take for nothing first when a take has just emptied the queue. Who goes away takes nothing along: the watch takes for those who are
 * still there, and jobs that nobody wants any more are released.
 */
import { background } from "./background.ts";
import type { Clock, Timer } from "./clock.ts";
import { sleep } from "./clock.ts";
import { random } from "./id.ts";
import type { DeliveredJob } from "./job.ts";
import type { ResolvedTake } from "./options.ts";
import type { Delivery, QueueCalls } from "./queue-calls.ts";

/** Take at least so often while somebody waits, whatever the store's `wait` does; in ms, less up to a fifth of jitter. */
const SAFETY_NET = 5000;

/** A wait that is over sooner says that jobs come as quickly as they are taken, in ms. */
const BUSY = 1;

/** After wake-ups for nothing, pause 1 ms, doubling up to this; after failures, from 100 ms up to the second; in ms. */
const LONGEST_LULL = 100;
const LONGEST_PAUSE = 5000;

/** The most that one take asks for. */
const MOST_JOBS = 1000;

/** A consumer that waits. */
interface Waiter {
  readonly limit: number;
  readonly lease: number;
  readonly answered: (() => void) | undefined;
  readonly resolve: (delivery: Delivery) => void;
  readonly reject: (error: unknown) => void;
  leave: () => void;
}

/** The consumers of one queue in this process. */
export class TakeHub {
  readonly #calls: QueueCalls;
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #watching = false;
  /** The last take gave fewer jobs than it asked for. */
  #drained = false;
  /** Jobs come one by one: the last wait was not over at once, or a take after the last jobs was for nothing. */
  #calm = false;
  #wait: AbortController | undefined;

  constructor(calls: QueueCalls) {
    this.#calls = calls;
    this.#clock = calls.policy.clock;
  }

  /** Take up to `limit` jobs; with `wait`, wait for the first. Rejects with the signal's reason; what comes after that is released. */
  async take(limit: number, options: ResolvedTake): Promise<Delivery> {
    const { lease, wait, signal } = options;
    // Whoever waits for ever loses nothing: `wait` resolves at once when a job is there. Others might be out of time before their take.
    if (this.#drained && this.#calm && wait === Infinity) return this.#join(limit, options);
    const delivery = await this.#unlessAborted(this.#calls.take(limit, lease), signal);
    options.answered?.();
    this.#took(limit, delivery);
    if (delivery.jobs.length > 0 || wait === 0) return delivery;
    return this.#join(limit, options);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Everybody who waits is told this. */
  close(error: unknown): void {
    for (const waiter of this.#waiters) {
      waiter.leave();
      waiter.reject(error);
    }
  }

  #took(limit: number, { jobs }: Delivery): void {
    if (this.#drained && jobs.length === 0) this.#calm = true;
    this.#drained = jobs.length < limit;
  }

  #unlessAborted(taking: Promise<Delivery>, signal: AbortSignal | undefined): Promise<Delivery> {
    if (signal === undefined) return taking;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal.reason as Error);
        taking.then(
          ({ jobs }) => this.#calls.giveBack(jobs),
          () => undefined,
        );
      };
      signal.addEventListener("abort", abort, { once: true });
      taking.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
    });
  }

  #join(limit: number, { lease, wait, signal, answered }: ResolvedTake): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const abort = (): void => {
        waiter.leave();
        reject(signal?.reason as Error);
      };
      const leave = (): void => {
        timer?.cancel();
        signal?.removeEventListener("abort", abort);
        this.#waiters.delete(waiter);
        if (this.#waiters.size === 0) this.#wait?.abort();
      };
      const waiter: Waiter = { limit, lease, answered, resolve, reject, leave };
      if (signal?.aborted === true) return reject(signal.reason as Error);
      signal?.addEventListener("abort", abort, { once: true });
      if (wait !== Infinity) {
        timer = this.#clock.timer(wait, () => {
          waiter.leave();
          resolve({ jobs: [], since: 0 });
        });
      }
      this.#waiters.add(waiter);
      if (!this.#watching) background(this.#watch());
    });
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    let failures = 0;
    let blanks = 0;
    while (this.#waiters.size > 0) {
      const began = this.#clock.monotonic();
      const woken = await this.#waitOnce();
      failures = woken ? 0 : failures + 1;
      if (failures > 0) await this.#pause(Math.min(100 * 2 ** (failures - 1), LONGEST_PAUSE));
      if (this.#waiters.size === 0) break;
      // Others may have been quicker now and then; a store that wakes for nothing, soon and always, must not make this a busy loop.
      const waited = this.#clock.monotonic() - began;
      const soon = waited < LONGEST_LULL;
      this.#calm = waited > BUSY;
      const found = await this.#serve();
      blanks = found || !soon ? 0 : blanks + 1;
      if (blanks > 2) await this.#pause(Math.min(2 ** (blanks - 3), LONGEST_LULL));
    }
    this.#watching = false;
  }

  /** `false` when the store could not be asked. */
  async #waitOnce(): Promise<boolean> {
    this.#wait = new AbortController();
    try {
      await this.#calls.wait(SAFETY_NET * (1 - random() / 5), this.#wait.signal);
      return true;
    } catch {
      return false;
    }
  }

  /** Pause, unless nobody waits any more. */
  async #pause(ms: number): Promise<void> {
    this.#wait = new AbortController();
    if (this.#waiters.size > 0) await sleep(this.#clock, ms, this.#wait.signal);
  }

  /** Take for those who wait with the lease of the longest waiting, and hand out. */
  async #serve(): Promise<boolean> {
    const [first] = this.#waiters;
    if (first === undefined) return false;
    const group = [...this.#waiters].filter(({ lease }) => lease === first.lease);
    const wanted = group.reduce((sum, { limit }) => sum + limit, 0);
    try {
      const limit = Math.min(wanted, MOST_JOBS);
      const { jobs, since } = await this.#calls.take(limit, first.lease);
      for (const { answered } of group) answered?.();
      this.#drained = jobs.length < limit;
      this.#handOut(jobs, since);
      return jobs.length > 0;
    } catch (error) {
      for (const waiter of group) {
        if (!this.#waiters.has(waiter)) continue;
        waiter.leave();
        waiter.reject(error);
      }
      return false;
    }
  }

  /** A job brings its own lease, so whoever waits longest may have it. */
  #handOut(jobs: readonly DeliveredJob[], since: number): void {
    let next = 0;
    for (const waiter of this.#waiters) {
      if (next >= jobs.length) return;
      const share = jobs.slice(next, next + waiter.limit);
      next += share.length;
      waiter.leave();
      waiter.resolve({ jobs: share, since });
    }
    this.#calls.giveBack(jobs.slice(next));
  }
}
