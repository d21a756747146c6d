/** How many jobs to take ahead of a free slot. */

/** Handlers slower than this, on average, gain nothing from it; in ms. */
const QUICK = 5;
/** Jobs taken ahead should all have begun within this, in ms. */
const HORIZON = 20;
/** Say nothing before so many handlers have ended. */
const ENOUGH = 16;
/** The weight of the newest handler in the average. */
const WEIGHT = 1 / 16;
/** Enough to keep a server at work while the handlers of a quick process run: half of it is taken while the other half is worked on. */
const MOST = 512;

/** Learns from how long handlers take, and stops when jobs that were taken ahead found no slot in time. */
export class Pace {
  readonly #concurrency: number;
  readonly #fixed: number | undefined;
  #average = 0;
  #ended = 0;
  #stalled = false;
  #ahead = 0;

  /** `fixed`: what the user says, if anything. */
  constructor(concurrency: number, fixed: number | undefined) {
    this.#concurrency = concurrency;
    this.#fixed = fixed;
    this.#decide();
  }

  /** How many to take ahead now. */
  get ahead(): number {
    return this.#ahead;
  }

  /** A handler has ended after so many ms. */
  ended(ms: number): void {
    this.#stalled = false;
    this.#ended++;
    this.#average += (ms - this.#average) * WEIGHT;
    this.#decide();
  }

  /** Jobs had to be given back: nothing is taken ahead until a handler ends. */
  stalled(): void {
    this.#stalled = true;
    this.#ended = 0;
    this.#average = 0;
    this.#decide();
  }

  #decide(): void {
    if (this.#stalled) this.#ahead = 0;
    else if (this.#fixed !== undefined) this.#ahead = this.#fixed;
    else if (this.#ended < ENOUGH || this.#average > QUICK) this.#ahead = 0;
    else this.#ahead = Math.min(MOST, Math.floor((this.#concurrency * HORIZON) / Math.max(this.#average, 0.1)));
  }
}
