/** What time it may be at the server. A hint: what is decided is decided by the time that comes with what is read. */
import { type Clock, systemClock } from "@pq/core/backend";

/** The last time that the server told, and how long ago that was by a clock that never steps. */
export class ServerTime {
  readonly #clock: Clock;
  #told = 0;
  #at = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** The server said this. */
  saw(now: number): void {
    this.#told = now;
    this.#at = this.#clock.monotonic();
  }

  /** ms since 1970, a little late; 0 as long as the server has told nothing. */
  get now(): number {
    return this.#told === 0 ? 0 : this.#told + this.#clock.monotonic() - this.#at;
  }
}
