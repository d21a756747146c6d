import type { RequestId } from "../job.ts";

/** How far back a repeated call is recognised. */
export const REPEAT_WINDOW = { ms: 60_000, calls: 10_000 } as const;

/** Most items (jobs, settlements) that the remembered answers of a queue hold together. */
const MOST_ITEMS = 1_000_000;

/** Most answers of a queue in a checkpoint, and most items in one of them. */
const MOST_STORED = 1000;
const MOST_ITEMS_STORED = 100;

interface Known {
  readonly at: number;
  readonly items: number;
  /** The answer, a promise of it, or a function that gives it. */
  readonly answer: unknown;
}

/** One remembered call: its request, when it was, how many items it concerned, and its answer. */
export type Remembered = readonly [request: RequestId, at: number, items: number, answer: unknown];

/** Gives this answer again. Most answers are one outcome many times: of those the outcome and the number are kept. */
export function recall<T>(answer: T): () => T {
  if (!Array.isArray(answer)) return () => answer;
  const first: unknown = answer[0];
  const { length } = answer;
  return answer.every((one) => one === first) ? () => Array.from({ length }, () => first) as T : () => answer;
}

/**
 * The answers of a queue's recent calls, by request. An answer is given as it is; as a promise, while the call is still on its way and a
 * repetition is to wait for the same; or as a function that gives it (`recall`). What is forgotten when depends on
 * the calls of `remember` and `forget` alone.
 */
export class Answers implements Iterable<Remembered> {
  readonly #known = new Map<RequestId, Known>();
  #items = 0;

  /** The answer given to this request, or a promise of it; `undefined`: the request is new. */
  find(request: RequestId): unknown {
    const known = this.#known.get(request);
    return known && valueOf(known);
  }

  /** Remember the answer of a call that concerned so many items, and forget what is too old or too much. */
  remember(request: RequestId, at: number, items: number, answer: unknown): void {
    this.#enter(request, { at, items, answer });
    for (const [old, known] of this.#known) {
      const within = this.#known.size <= REPEAT_WINDOW.calls && this.#items <= MOST_ITEMS;
      if ((within && known.at + REPEAT_WINDOW.ms > at) || old === request) break;
      this.forget(old);
    }
  }

  /** The call was not applied: a repetition is a new call. */
  forget(request: RequestId): void {
    const known = this.#known.get(request);
    if (known === undefined) return;
    this.#items -= known.items;
    this.#known.delete(request);
  }

  /** All that is remembered, in the order in which it will be forgotten. `restore` takes it. */
  *[Symbol.iterator](): Generator<Remembered, void> {
    for (const [request, known] of this.#known) yield [request, known.at, known.items, valueOf(known)];
  }

  /** The newest answers that are small and known by now, newest last: enough for a store that may lose the rest. */
  recent(): Remembered[] {
    return [...this.#known]
      .filter(([, { items }]) => items <= MOST_ITEMS_STORED)
      .slice(-MOST_STORED)
      .filter(([, { answer }]) => !(answer instanceof Promise))
      .map(([request, known]) => [request, known.at, known.items, valueOf(known)]);
  }

  /** Take what `recent` or the iteration gave, as it is: nothing is forgotten by this. */
  restore(remembered: Iterable<Remembered>): void {
    for (const [request, at, items, answer] of remembered) this.#enter(request, { at, items, answer: recall(answer) });
  }

  #enter(request: RequestId, known: Known): void {
    this.forget(request);
    this.#known.set(request, known);
    this.#items += known.items;
  }
}

function valueOf({ answer }: Known): unknown {
  return typeof answer === "function" ? (answer as () => unknown)() : answer;
}
