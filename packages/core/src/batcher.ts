/**
 * Many single calls become few calls for many: what is added while a call is in flight goes with the next one. No timers: what is
 * added while idle goes at the end of the current microtask, so a lone item waits for nothing, and a burst goes together.
 *
 *     add --> [waiting] --flush: up to maxItems, maxBytes, each id once--> send --> one answer per item
 *
 * One call is in flight at a time, so items arrive at the store in the order in which they were added.
 */
import { background } from "./background.ts";
import type { Clock } from "./clock.ts";
import { isPqError, PqError } from "./errors.ts";

/** How a batcher sends. */
export interface BatcherOptions<Item, Answer> {
  readonly clock: Clock;
  /** Every item is answered within so many ms of being added. */
  readonly deadline: number;
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly idOf: (item: Item) => string;
  readonly bytesOf: (item: Item) => number;
  /** One call; the answers stand in the order of the items. Settles within `deadline` ms. */
  readonly send: (items: readonly Item[], deadline: number) => Promise<readonly Answer[]>;
}

/** A place in the line: an item, or a call of its own. */
interface Place<Item, Answer> {
  readonly item: Item | undefined;
  readonly alone: ((deadline: number) => Promise<Answer>) | undefined;
  readonly since: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Errors that one bad item may cause for its whole batch. Nothing was stored, so the items can be sent one by one. */
const CAUSED_BY_ONE: ReadonlySet<string> = new Set([
  "PAYLOAD_TOO_LARGE",
  "INVALID_PAYLOAD",
  "UNSUPPORTED",
  "INVALID_STATE",
]);

/** Coalesces concurrent calls of one kind on one queue. */
export class Batcher<Item, Answer> {
  readonly #options: BatcherOptions<Item, Answer>;
  #waiting: Place<Item, Answer>[] = [];
  #running = false;
  readonly #whenIdle: (() => void)[] = [];

  constructor(options: BatcherOptions<Item, Answer>) {
    this.#options = options;
  }

  /** Send an item along with others. */
  add(item: Item): Promise<Answer> {
    return this.#enter(item, undefined);
  }

  /** Make a call of its own when its turn comes. */
  alone<T>(call: (deadline: number) => Promise<T>): Promise<T> {
    return this.#enter(undefined, call as unknown as (deadline: number) => Promise<Answer>) as unknown as Promise<T>;
  }

  /** Resolves when nothing waits or is in flight. */
  idle(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #enter(item: Item | undefined, alone: Place<Item, Answer>["alone"]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, alone, since: this.#options.clock.monotonic(), resolve, reject });
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => background(this.#run()));
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#dropOverdue();
      const batch = this.#nextBatch();
      const first = batch[0];
      if (first === undefined) continue;
      if (first.alone === undefined) await this.#send(batch);
      else await first.alone(this.#left(first)).then(first.resolve, first.reject);
    }
    this.#running = false;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Refuse what has waited so long behind others that too little time is left for a call: it was certainly not applied. */
  #dropOverdue(): void {
    let count = 0;
    for (const place of this.#waiting) {
      if (!this.#overdue(place)) break;
      count++;
      refuse(place);
    }
    if (count > 0) this.#waiting.splice(0, count);
  }

  #overdue(place: Place<Item, Answer>): boolean {
    return this.#left(place) < this.#options.deadline / 4;
  }

  #left({ since }: Place<Item, Answer>): number {
    return since + this.#options.deadline - this.#options.clock.monotonic();
  }

  #nextBatch(): Place<Item, Answer>[] {
    const ids = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      if (item === undefined) break;
      bytes += this.#options.bytesOf(item);
      if (count > 0 && bytes > this.#options.maxBytes) break;
      // One that is there already does not make the set larger.
      if (ids.add(this.#options.idOf(item)).size === count) break;
      if (++count === this.#options.maxItems) break;
    }
    // None: a call of its own stands first.
    const size = Math.max(1, count);
    if (size === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, size);
  }

  async #send(batch: readonly Place<Item, Answer>[]): Promise<void> {
    try {
      const items = batch.map(({ item }) => item as Item);
      const answers = await this.#options.send(items, batch[0] === undefined ? 0 : this.#left(batch[0]));
      checkAnswers(answers, items);
      batch.forEach((place, index) => place.resolve(answers[index] as Answer));
    } catch (error) {
      if (batch.length > 1 && isPqError(error) && CAUSED_BY_ONE.has(error.code)) {
        for (const place of batch) {
          if (this.#overdue(place)) refuse(place);
          else await this.#send([place]);
        }
      } else {
        for (const place of batch) place.reject(error);
      }
    }
  }
}

function refuse({ reject }: Pick<Place<unknown, unknown>, "reject">): void {
  reject(new PqError("UNAVAILABLE", "the calls before this one took too long; it was not sent"));
}

/** Throws `OUTCOME_UNKNOWN` unless there is an answer for each item. */
export function checkAnswers(answers: readonly unknown[], items: readonly unknown[]): void {
  if (Array.isArray(answers) && answers.length === items.length) return;
  const count = Array.isArray(answers) ? answers.length : 0;
  throw new PqError("OUTCOME_UNKNOWN", `the backend answered ${count} of ${items.length} items`);
}
