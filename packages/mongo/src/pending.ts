/** Calls that wait for a round, or for another try of one. */
import type { DeliveredJob, TakeParams } from "@pq/core/backend";
import type { Change } from "./changes.ts";
import type { Outcome } from "./page/codec.ts";

/** What a round works on. */
export interface Works {
  readonly takes: readonly PendingTake[];
  readonly changes: readonly PendingChange[];
}

/** Such a call. */
class Pending<Work, Answer> {
  readonly work: Work;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;

  constructor(work: Work, resolve: (answer: Answer) => void, reject: (error: unknown) => void) {
    this.work = work;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** A take. */
export class PendingTake extends Pending<TakeParams, readonly DeliveredJob[]> {}

/** A change. What was decided about some of its jobs stays, whatever becomes of the others. */
export class PendingChange extends Pending<Change<unknown>, unknown> {
  readonly #decided = new Map<number, { readonly outcome: Outcome | undefined; readonly found: boolean }>();

  /** The indexes of the jobs about which nothing is decided. */
  get open(): readonly number[] {
    return [...this.work.ids.keys()].filter((index) => !this.#decided.has(index));
  }

  /** `found`: there was a job of this id. */
  decide(index: number, outcome: Outcome | undefined, found: boolean): void {
    this.#decided.set(index, { outcome, found });
  }

  /** Answer, if all is decided. */
  answer(): boolean {
    if (this.#decided.size < this.work.ids.length) return false;
    const each = this.work.ids.map((_, index) => this.#decided.get(index)!);
    const found = each.map((one) => one.found);
    this.resolve(
      this.work.answer(
        each.map(({ outcome }) => outcome),
        found,
      ),
    );
    return true;
  }
}
