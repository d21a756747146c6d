/** The pages that this process changed last, as they are stored unless somebody else changed them since. It saves a read before an ack. */
import type { JobId } from "@pq/core/backend";
import type { Page } from "./page/page.ts";

/** Jobs of all cached pages together. */
const MOST_JOBS = 20_000;

/** A cache of pages, the longest unused ones leave first. */
export class PageCache {
  readonly #pages = new Map<string, Page>();
  /** Where the jobs are that this process has leased. */
  readonly #held = new Map<JobId, string>();
  #jobs = 0;

  /** The page of a job that this process took. */
  pageOf(id: JobId): Page | undefined {
    const page = this.#held.get(id);
    return page === undefined ? undefined : this.#pages.get(page);
  }

  get(id: string): Page | undefined {
    return this.#pages.get(id);
  }

  /** A page as it was just stored. */
  set(page: Page): void {
    this.delete(page.id);
    if (page.closed !== null) return;
    this.#pages.set(page.id, page);
    this.#jobs += page.jobs.length;
    for (const { id, state } of page.jobs) if (state === "leased") this.#held.set(id, page.id);
    for (const oldest of this.#pages.keys()) {
      if (this.#jobs <= MOST_JOBS || oldest === page.id) break;
      this.delete(oldest);
    }
  }

  delete(id: string): void {
    const page = this.#pages.get(id);
    if (page === undefined) return;
    this.#pages.delete(id);
    this.#jobs -= page.jobs.length;
    for (const job of page.jobs) this.#held.delete(job.id);
  }

  clear(): void {
    this.#pages.clear();
    this.#held.clear();
    this.#jobs = 0;
  }
}
