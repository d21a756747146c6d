/**
 * The numbers of deliveries: `epoch * perEpoch + counter`, growing for all queues of the folder together.
 *
 * What a power failure takes may include the newest LEASE records, and with them the newest fences. So each opening begins
 * a new epoch, on disk before anything else. An epoch whose numbers are used up is followed by the next one at once; the
 * log learns of that from the fences it holds. Since the records of that may be lost too, an opening goes on two epochs later.
 */

/** Deliveries of one epoch: more than can be on their way to disk. So the numbers last for 2^28 openings. */
const PER_EPOCH: number = 2 ** 24;

/** Gives out fences. */
export class Fences {
  readonly #perEpoch: number;
  #epoch = 0;
  #counter = 0;

  constructor(perEpoch: number = PER_EPOCH) {
    this.#perEpoch = perEpoch;
  }

  /** The epoch of the next fence; kept in the log and the checkpoint. */
  get epoch(): number {
    return this.#epoch;
  }

  /** An epoch that the log or the checkpoint names. */
  seenEpoch(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  /** A fence that the log names. */
  seen(fence: number): void {
    this.seenEpoch(Math.floor(fence / this.#perEpoch));
  }

  /** Begin after all that was ever given out. The new epoch is to be on disk before the first `next`. */
  begin(): void {
    this.#epoch += 2;
    this.#counter = 0;
  }

  /** The next fence. */
  next(): number {
    if (++this.#counter === this.#perEpoch) {
      this.#epoch++;
      this.#counter = 1;
    }
    return this.#epoch * this.#perEpoch + this.#counter;
  }
}
