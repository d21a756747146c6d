/** What time it may be at the ensemble's leader. A hint: what is decided is decided by the time of an entry. */
import type { Clock } from "@pq/core/backend";

/** The last time that was told, and how long ago that was by a clock that never steps. */
export class ServerTime {
  readonly #clock: Clock;
  #told = 0;
  #at = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It was this time a moment ago. */
  saw(now: number): void {
    const monotonic = this.#clock.monotonic();
    // What was told with less delay is nearer to the truth. But a clock that was set back counts.
    const believed = this.#told + monotonic - this.#at;
    if (now < believed && believed - now < 1000) return;
    this.#told = now;
    this.#at = monotonic;
  }

  /** ms since 1970, a little late; 0 as long as nothing was told. */
  get now(): number {
    return this.#told === 0 ? 0 : this.#told + this.#clock.monotonic() - this.#at;
  }
}
