/**
 * Many single calls become few calls for many: what is added while a call is in flight goes with the next one. No timers: what is
 * added while idle goes at the end of the current microtask, so a lone item waits for nothing, and a burst goes together.
 *
 *     add --> [waiting] --flush: up to maxItems, maxBytes, each id once--> send --> one answer per item
 *
 * One call is in flight at a time, so items arrive at the store in the order in which they were added. Where calls can be chained, a
 * second one goes beside it once enough items wait: it names the call that it must come after, and the store sees to the order.
 */
import { background } from "./background.ts";
import { type Clock, turn } from "./clock.ts";
import { isPqError, PqError } from "./errors.ts";
import { newRequestId } from "./id.ts";
import type { RequestId } from "./job.ts";

/** How a batcher sends. */
export interface BatcherOptions<Item, Answer> {
  readonly clock: Clock;
  /** Every item is answered within so many ms of being added. */
  readonly deadline: number;
  readonly maxItems: number;
  readonly maxBytes: number;
  /** May a second call go beside one in flight, naming that as the one that it must come after? */
  readonly chained: () => boolean;
  readonly idOf: (item: Item) => string;
  readonly bytesOf: (item: Item) => number;
  /** One call; the answers stand in the order of the items. Settles within the call's deadline. */
  readonly send: (items: readonly Item[], call: BatchCall) => Promise<readonly Answer[]>;
}

/** One call. */
export interface BatchCall {
  readonly request: RequestId;
  /** It has so many ms. */
  readonly deadline: number;
  /** The call that must be applied before it, while that one is in flight; `null` once it has ended in whatever way. To be read for each try. */
  readonly after: RequestId | null;
}

/** A call in flight. */
interface Flight extends BatchCall {
  after: RequestId | null;
  /** Of so many items. */
  readonly size: number;
}

/** A place in the line: an item, or a call of its own. */
interface Place<Item, Answer> {
  readonly item: Item | undefined;
  readonly alone: ((call: BatchCall) => Promise<Answer>) | undefined;
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

/**
 * Calls of fewer items do not go two at once. Measured on Redis with one client, two calls are ahead from 5 items each on; but each call costs
 * the server as much as ten jobs do, and when many clients keep it busy, that is what counts.
 */
const WORTH_A_CALL = 16;

/** Coalesces concurrent calls of one kind on one queue. */
export class Batcher<Item, Answer> {
  readonly #options: BatcherOptions<Item, Answer>;
  #waiting: Place<Item, Answer>[] = [];
  /** At most two. */
  readonly #inFlight: Flight[] = [];
  /** A call of its own is in flight: nothing goes beside it. */
  #isAlone = false;
  #flushing = false;
  readonly #whenIdle: (() => void)[] = [];

  constructor(options: BatcherOptions<Item, Answer>) {
    this.#options = options;
  }

  /** Send an item along with others. */
  add(item: Item): Promise<Answer> {
    return this.#enter(item, undefined);
  }

  /** Make a call of its own when its turn comes. */
  alone<T>(call: (call: BatchCall) => Promise<T>): Promise<T> {
    return this.#enter(undefined, call as unknown as (call: BatchCall) => Promise<Answer>) as unknown as Promise<T>;
  }

  /** Resolves when nothing waits or is in flight. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#inFlight.length === 0;
  }

  #enter(item: Item | undefined, alone: Place<Item, Answer>["alone"]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, alone, since: this.#options.clock.monotonic(), resolve, reject });
      if (this.#flushing || !this.#mayGo()) return;
      this.#flushing = true;
      queueMicrotask(() => this.#flush());
    });
  }

  /** May a call go now? A second one only beside one that is not alone, and only when it is large enough. */
  #mayGo(): boolean {
    if (this.#inFlight.length === 0) return this.#waiting.length > 0;
    const mayChain = this.#inFlight.length === 1 && !this.#isAlone && this.#waiting.length >= WORTH_A_CALL;
    return mayChain && this.#waiting[0]?.item !== undefined && this.#options.chained();
  }

  #flush(): void {
    this.#flushing = false;
    this.#dropOverdue();
    while (this.#mayGo()) background(this.#go(this.#nextBatch()));
    if (this.#isIdle) for (const resolve of this.#whenIdle.splice(0)) resolve();
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
    const most = this.#share();
    const ids = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      if (item === undefined) break;
      bytes += this.#options.bytesOf(item);
      if (count > 0 && bytes > this.#options.maxBytes) break;
      // One that is there already does not make the set larger.
      if (ids.add(this.#options.idOf(item)).size === count) break;
      if (++count === most) break;
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

  /** The most items of the next call: half of all there are, when that is worth a call, so that the store has one half while we write the other. */
  #share(): number {
    const { chained, maxItems } = this.#options;
    let all = this.#waiting.length;
    for (const { size } of this.#inFlight) all += size;
    return all < 2 * WORTH_A_CALL || !chained() ? maxItems : Math.min(Math.ceil(all / 2), maxItems);
  }

  async #go(batch: readonly Place<Item, Answer>[]): Promise<void> {
    const first = batch[0]!;
    // With two in flight, there is none that the second could overtake but the first.
    const before = this.#inFlight[0];
    const flight: Flight = {
      request: newRequestId(),
      deadline: this.#left(first),
      after: before?.request ?? null,
      size: batch.length,
    };
    this.#inFlight.push(flight);
    if (first.alone === undefined) await this.#send(batch, flight, before !== undefined);
    else {
      this.#isAlone = true;
      await first.alone(flight).then(first.resolve, first.reject);
      this.#isAlone = false;
    }
    this.#inFlight.splice(this.#inFlight.indexOf(flight), 1);
    for (const other of this.#inFlight) if (other.after === flight.request) other.after = null;
    this.#flush();
  }

  async #send(batch: readonly Place<Item, Answer>[], call: BatchCall, chained: boolean): Promise<void> {
    try {
      const items = batch.map(({ item }) => item as Item);
      const answers = await this.#options.send(items, call);
      checkAnswers(answers, items);
      // Two answers that come together are given apart: else the next two calls go together too, and client and store take turns for ever.
      if (chained) await turn();
      batch.forEach((place, index) => place.resolve(answers[index] as Answer));
    } catch (error) {
      if (batch.length > 1 && isPqError(error) && CAUSED_BY_ONE.has(error.code)) {
        for (const place of batch) {
          if (this.#overdue(place)) refuse(place);
          else await this.#send([place], this.#again(place, call), chained);
        }
      } else {
        for (const place of batch) place.reject(error);
      }
    }
  }

  /** A call for one item of a call, with what must come before that. */
  #again(place: Place<Item, Answer>, call: BatchCall): BatchCall {
    return {
      request: newRequestId(),
      deadline: this.#left(place),
      get after() {
        return call.after;
      },
    };
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
