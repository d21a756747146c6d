import { isDeepStrictEqual } from "node:util";
import type { PutOutcome, PutParams } from "../../backend.ts";
import { PqError } from "../../errors.ts";
import type { NewJob } from "../../job.ts";
import { copy } from "./entry.ts";
import type { ReferenceStore } from "./store.ts";

/** A put that waits for the commit, and what it was answered. */
interface Waiting {
  readonly params: PutParams;
  readonly outcomes: readonly PutOutcome[];
}

/** A transaction of the user's on the reference store: its puts wait here, and the commit carries all of them out in one step. */
export class ReferenceTransaction {
  readonly #store: ReferenceStore;
  readonly #waiting: Waiting[] = [];
  #over = false;

  private constructor(store: ReferenceStore) {
    this.#store = store;
  }

  /**
   * Run `work` with a session for its puts. Commits when it resolves; when it rejects, nothing of it is left and this rejects with the same error.
   * Rejects with `UNAVAILABLE` when a put was told what no longer holds at the commit.
   *
   * @example
   * const store = new ReferenceStore();
   * const emails = new Queue<Email>("emails", { backend: memory({ store }) });
   * await ReferenceTransaction.run(store, (session) => emails.put(email, { session }));
   */
  static async run<T>(store: ReferenceStore, work: (session: ReferenceTransaction) => Promise<T>): Promise<T> {
    const transaction = new ReferenceTransaction(store);
    try {
      const result = await work(transaction);
      transaction.#commit();
      return result;
    } finally {
      transaction.#over = true;
    }
  }

  /** Decide about these jobs; they are stored by the commit. */
  put(params: PutParams): readonly PutOutcome[] {
    if (this.#over) throw new PqError("INVALID_STATE", "the transaction has ended");
    const outcomes = this.#decide(params, this.#waiting);
    // The caller may do with its bytes what it likes.
    const jobs = params.jobs.map((job) => ({ ...job, payload: copy(job.payload) }));
    this.#waiting.push({ params: { ...params, jobs }, outcomes });
    return outcomes;
  }

  #commit(): void {
    for (const [index, { params, outcomes }] of this.#waiting.entries()) {
      if (isDeepStrictEqual(this.#decide(params, this.#waiting.slice(0, index)), outcomes)) continue;
      throw new PqError("UNAVAILABLE", "another call was quicker to take or free an id, a key or room");
    }
    for (const { params } of this.#waiting) this.#store.step(params.queue, (queue, now) => queue.put(params, now));
  }

  /** What becomes of the jobs of this put, were those of the puts before it stored. */
  #decide({ queue: name, jobs, maxSize, partial }: PutParams, before: readonly Waiting[]): PutOutcome[] {
    const stored = before.filter(({ params }) => params.queue === name).flatMap(added);
    const all = [...stored, ...jobs];
    const outcomes = this.#store.step(name, (queue, now) => queue.foresee(all, maxSize, now)).slice(stored.length);
    const refused = !partial && outcomes.some(({ status }) => status === "full");
    return refused ? jobs.map(() => ({ status: "full" })) : outcomes;
  }
}

function added({ params, outcomes }: Waiting): NewJob[] {
  return params.jobs.filter((_, index) => outcomes[index]?.status === "added");
}
