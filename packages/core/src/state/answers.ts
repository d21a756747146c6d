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
  /** Also while the call is still on its way: a repetition waits for the same. */
  readonly answer: Promise<unknown> | (() => unknown);
}

/** Gives this answer again. Most answers are one outcome many times: of those the outcome and the number are kept. */
export function recall<T>(answer: T): () => T {
  if (!Array.isArray(answer)) return () => answer;
  const first: unknown = answer[0];
  const { length } = answer;
  return answer.every((one) => one === first) ? () => Array.from({ length }, () => first) as T : () => answer;
}

/** The answers of a queue's recent calls, by request. */
export class Answers {
  readonly #known = new Map<RequestId, Known>();
  #items = 0;

  /** The answer given to this request, or being worked out; `undefined`: the request is new. */
  find(request: RequestId): Promise<unknown> | undefined {
    const answer = this.#known.get(request)?.answer;
    return typeof answer === "function" ? Promise.resolve(answer()) : answer;
  }

  /** Remember the answer of a call that concerned so many items. */
  remember(request: RequestId, at: number, items: number, answer: Known["answer"]): void {
    this.forget(request);
    this.#known.set(request, { at, items, answer });
    this.#items += items;
    for (const [old, known] of this.#known) {
      const within = this.#known.size <= REPEAT_WINDOW.calls && this.#items <= MOST_ITEMS;
      if ((within && known.at + REPEAT_WINDOW.ms > at) || old === request) break;
      this.forget(old);
    }
  }

  /** The answers that are known by now, newest last, for a checkpoint: request, time, items, answer. */
  recent(): [RequestId, number, number, unknown][] {
    return [...this.#known]
      .filter(([, { items }]) => items <= MOST_ITEMS_STORED)
      .slice(-MOST_STORED)
      .flatMap(([request, { at, items, answer }]) =>
        typeof answer === "function" ? [[request, at, items, answer()]] : [],
      );
  }

  /** Take what `recent` gave. */
  restore(recent: readonly [RequestId, number, number, unknown][]): void {
    for (const [request, at, items, answer] of recent) this.remember(request, at, items, () => answer);
  }

  /** The call was not applied: a repetition is a new call. */
  forget(request: RequestId): void {
    const known = this.#known.get(request);
    if (known === undefined) return;
    this.#items -= known.items;
    this.#known.delete(request);
  }
}

/** The jobs that recent takes leased, by request. */
export class Takes {
  readonly #slots = new Map<RequestId, number[]>();

  /** The slots; whether they are still leased by the request is for the caller to see. */
  find(request: RequestId): readonly number[] {
    return this.#slots.get(request) ?? [];
  }

  /** The slots mean nothing any more. */
  clear(): void {
    this.#slots.clear();
  }

  /** One more slot of a request. */
  add(request: RequestId, slot: number): void {
    const known = this.#slots.get(request);
    if (known === undefined) this.remember(request, [slot]);
    else known.push(slot);
  }

  remember(request: RequestId, slots: number[]): void {
    this.#slots.set(request, slots);
    if (this.#slots.size <= REPEAT_WINDOW.calls) return;
    for (const oldest of this.#slots.keys()) {
      this.#slots.delete(oldest);
      return;
    }
  }
}
