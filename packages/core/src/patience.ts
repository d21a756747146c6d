/** Looking again and again, for what stores cannot wait for: room, a result, an empty queue. */
import { type Clock, sleep } from "./clock.ts";

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/** How to look. */
export interface LookOptions {
  /** Stop after so many ms; `Infinity` for never. Looks at least once, and a last time at the end. */
  readonly timeout: number;
  /** Ends the wait with its reason. */
  readonly signal: AbortSignal | undefined;
}

/** All who look in one queue. They end together; not by one signal, since each listener of it makes the next one dearer. */
export class Patience {
  readonly #clock: Clock;
  readonly #looking = new Set<AbortController>();
  #closed: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Look until `look` gives something other than `undefined`: after 10 ms, doubling to 1 s. `undefined` when the time is over. */
  async until<T>(look: () => Promise<T | undefined>, { timeout, signal }: LookOptions): Promise<T | undefined> {
    const end = this.#clock.monotonic() + timeout;
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted === true) abort();
    if (this.#closed !== undefined) stop.abort(this.#closed);
    signal?.addEventListener("abort", abort, { once: true });
    this.#looking.add(stop);
    try {
      for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
        stop.signal.throwIfAborted();
        const found = await look();
        if (found !== undefined) return found;
        const left = end - this.#clock.monotonic();
        if (left <= 0) return undefined;
        await sleep(this.#clock, Math.min(pause, left), stop.signal);
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#looking.delete(stop);
    }
  }

  /** Everybody who looks, now or later, is told this. */
  close(error: Error): void {
    this.#closed = error;
    for (const stop of this.#looking) stop.abort(error);
  }
}
