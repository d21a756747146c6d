/** When pages that are over are folded: by whoever uses the queue, now and then, beside its calls. */
import { randomInt } from "node:crypto";
import { type Clock, systemClock } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { fold } from "./fold.ts";
import type { QueueParts } from "./parts.ts";

/** Between two looks of one process, in ms: drawn between this and twice as much. */
const PAUSE = 10_000;

/** The folding of one queue by one backend. */
export class Folding {
  readonly #queue: QueueParts;
  readonly #newCall: () => Call;
  readonly #clock: Clock;
  #next: number;

  constructor(queue: QueueParts, newCall: () => Call, clock: Clock = systemClock) {
    this.#queue = queue;
    this.#newCall = newCall;
    this.#clock = clock;
    this.#next = this.#later();
  }

  /** The queue is in use. What fails is left to the next time. */
  inUse(): void {
    if (this.#clock.monotonic() < this.#next) return;
    this.#next = this.#later();
    this.#foldAll().catch(() => undefined);
  }

  #later(): number {
    return this.#clock.monotonic() + PAUSE + randomInt(PAUSE);
  }

  async #foldAll(): Promise<void> {
    while (await fold(this.#newCall(), this.#queue));
  }
}
