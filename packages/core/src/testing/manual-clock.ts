import { type Clock, type Timer, turn } from "../clock.ts";

interface Pending {
  readonly at: number;
  readonly fn: () => void;
}

/**
 * A clock that only moves when it is told to. Give it to a queue, a worker and the `memory` backend, and time is yours.
 *
 * @example
 * const clock = new ManualClock();
 * await queue.put(job, { delay: "1h" });
 * await clock.advance(3_600_000);
 */
export class ManualClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #pending = new Set<Pending>();

  /** Starts at the given time, in ms since 1970. */
  constructor(start: number = Date.UTC(2030, 0, 1)) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  timer(ms: number, fn: () => void): Timer {
    const pending = { at: this.#now + Math.max(0, ms), fn };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** How many timers are set: for tests that look for leaks. */
  get timers(): number {
    return this.#pending.size;
  }

  /** Move on by `ms`, firing every timer at its time and letting what it starts run before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turn();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#pending.delete(next);
      next.fn();
      await turn();
    }
    this.#now = end;
    await turn();
  }

  #next(end: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.at <= end && (first === undefined || pending.at < first.at)) first = pending;
    }
    return first;
  }
}
