/** Where the records of jobs stand: entries of the log that put them. An entry whose jobs are all gone is of no use any more. */
import type { RequestId } from "@pq/core/backend";
import type { Usage } from "@pq/core/state";

/** An entry that put jobs. */
export interface Page {
  readonly position: number;
  /** When its jobs were put. */
  readonly time: number;
  readonly headLength: number;
  readonly bodyLength: number;
  /** The name of its parts; `null`: its content is in its node. */
  readonly guid: RequestId | null;
}

/** Names of parts that are remembered. */
const MOST_IN_PARTS = 10_000;

/** The pages of a queue, by small numbers, which the table of jobs keeps in their place. */
export class Pages {
  /** The entries last seen whose content is in parts: the name of these, and the entry's position. It tells what may be deleted with an entry. */
  readonly inParts: Map<RequestId, number> = new Map<RequestId, number>();
  readonly #pages = new Map<number, Page>();
  #last = 0;

  get size(): number {
    return this.#pages.size;
  }

  add(page: Page): number {
    this.#last++;
    this.#pages.set(this.#last, page);
    if (page.guid !== null) this.note(page.guid, page.position);
    return this.#last;
  }

  /** The entry at this position has its content in parts. */
  note(guid: RequestId, position: number): void {
    this.inParts.set(guid, position);
    for (const oldest of this.inParts.keys()) {
      if (this.inParts.size <= MOST_IN_PARTS) break;
      this.inParts.delete(oldest);
    }
  }

  get(number: number): Page {
    const page = this.#pages.get(number);
    if (page === undefined) throw new Error("a job stands in an entry that is not known");
    return page;
  }

  /** Forget those that no job stands in. */
  prune(usage: Usage): void {
    for (const number of this.#pages.keys()) if (usage.of(number) === 0) this.#pages.delete(number);
  }

  /** All of them, with their numbers. */
  [Symbol.iterator](): IterableIterator<[number, Page]> {
    return this.#pages.entries();
  }
}
