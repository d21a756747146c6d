/** What one try of a round reads: pages, each once and caught up, from the cache where they have not changed since. */
import type { Filter } from "mongodb";
import type { JobId, TakeParams } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { readHead } from "./head.ts";
import { idName } from "./names.ts";
import { catchUp } from "./page/life.ts";
import { findJob, LAST_TIME, type Page } from "./page/page.ts";
import type { PageCache } from "./page-cache.ts";
import { type Glimpse, MOST_DUE, type Seen } from "./pages.ts";
import type { QueueParts } from "./parts.ts";
import type { PendingChange } from "./pending.ts";
import type { PageDocument } from "./schema.ts";

/** Pages that are looked at for all takes of a round. */
const MOST_GLIMPSED = 512;

/** What a queue has for takes. */
export interface Candidates {
  /** In the order of their first jobs. */
  readonly pages: readonly Glimpse[];
  /** No more were looked at, so there may be more. */
  readonly limit: number;
  readonly paused: boolean;
}

/** What it reads with. */
interface Tools {
  readonly queue: QueueParts;
  readonly call: Call;
  readonly cache: PageCache;
}

/** The pages that one try has read. */
export class Reading {
  readonly #queue: QueueParts;
  readonly #call: Call;
  readonly #cache: PageCache;
  readonly #changes: readonly PendingChange[];
  readonly #pages = new Map<string, Page>();
  readonly #late = new Set<Page>();
  /** Which of the pages know the ids of the changes. */
  readonly #whereabouts: ReadonlyMap<JobId, Page[]>;
  #now = 0;

  /** For these changes; takes may come to it. */
  constructor({ queue, call, cache }: Tools, changes: readonly PendingChange[]) {
    this.#queue = queue;
    this.#call = call;
    this.#cache = cache;
    this.#changes = changes;
    this.#whereabouts = new Map(openIds(changes).map((id) => [id, []]));
  }

  /** All that were read. */
  get pages(): readonly Page[] {
    return [...this.#pages.values()];
  }

  /** The server's time, ms since 1970, when the last of them was read: the moment from which what is done now counts, on all of them. */
  get now(): number {
    return this.#now;
  }

  /** Those that know this id, which one of the changes has. Of an id that was put again, some know a job that is gone. */
  pagesOf(id: JobId): readonly Page[] {
    return this.#whereabouts.get(id) ?? [];
  }

  /** Has time done something to this page that is not written yet? */
  isLate(page: Page): boolean {
    return this.#late.has(page);
  }

  /**
   * Acks alone, of jobs on cached pages, need no reading: if nobody changed the page, all that matters is that no lease of them has ended.
   * That is what is returned, as a condition of the write.
   */
  cached(): Filter<PageDocument> | undefined {
    const pages = new Set<Page>();
    let until = LAST_TIME;
    for (const { work, open } of this.#changes) {
      for (const index of open) {
        const id = work.ids[index]!;
        const page = this.#cache.pageOf(id);
        if (page === undefined || !work.isPlainAck(page, index)) return undefined;
        pages.add(page);
        until = Math.min(until, findJob(page, id)!.until!);
      }
    }
    const { now } = this.#queue.time;
    for (const page of pages) this.#see(this.#checkOut(page, now));
    return { $expr: { $lt: ["$$NOW", new Date(until)] } };
  }

  /**
   * What these takes choose from, `width` times as many pages as they need at most. Pages that they have changed already are read, and pages to
   * which time has come.
   */
  async forTakes(takes: readonly TakeParams[], width: number): Promise<Candidates> {
    const { pages, time } = this.#queue;
    const requests = takes.map(({ request }) => request);
    // Each has a job to give, but for those from which time has taken it.
    const needed = takes.reduce((sum, { limit }) => sum + limit, 0);
    const limit = Math.min(MOST_GLIMPSED, width * needed + MOST_DUE);
    const [head, before, due, candidates] = await Promise.all([
      readHead(this.#call, this.#queue.queue),
      pages.read(this.#call, { takes: { $in: requests } }),
      pages.due(this.#call, time),
      pages.glimpse(this.#call, { next: { $exists: true } }, { sort: { next: 1 }, limit }),
    ]);
    for (const seen of [...before, ...due]) this.#see(seen);
    return { pages: candidates, limit, paused: head?.paused ?? false };
  }

  /**
   * Read the pages that know the ids of the changes: the cached ones, which are enough for leases that still run, and else all of them, since a
   * call that is repeated may have changed a job whose id was put again since.
   */
  async forChanges(): Promise<void> {
    const { pages } = this.#queue;
    const ids = openIds(this.#changes);
    const cached = new Set(ids.map((id) => this.#cache.pageOf(id)?.id).filter((id) => id !== undefined));
    if (cached.size > 0) await this.load(await pages.glimpse(this.#call, { _id: { $in: [...cached] } }));
    // In this order: what a page gives up stands in its `was` before it stands in the `names` of another.
    for (const field of ["names", "was"]) {
      const missing = this.#missing().map(idName);
      if (missing.length === 0) return;
      for (const seen of await pages.read(this.#call, { [field]: { $in: missing } })) this.#see(seen);
    }
  }

  /** Ids of which it is not known yet what job they mean. */
  #missing(): JobId[] {
    return this.#changes.flatMap(({ work, open }) =>
      open
        .filter((index) => !this.pagesOf(work.ids[index]!).some((page) => work.isMeant(page, index)))
        .map((index) => work.ids[index]!),
    );
  }

  /** Read these pages, but for those that are cached and were not changed since. Gives those that are new. */
  async load(glimpses: readonly Glimpse[]): Promise<Page[]> {
    const loaded: Seen[] = [];
    const missing: string[] = [];
    for (const { _id, v, now } of glimpses) {
      if (this.#pages.has(_id)) continue;
      const page = this.#cache.get(_id);
      if (page?.version === v) loaded.push(this.#checkOut(page, now.getTime()));
      else missing.push(_id);
    }
    if (missing.length > 0) loaded.push(...(await this.#queue.pages.read(this.#call, { _id: { $in: missing } })));
    return loaded.map((seen) => this.#see(seen));
  }

  /** Take a page out of the cache, since it is going to be changed. */
  #checkOut(page: Page, now: number): Seen {
    this.#cache.delete(page.id);
    catchUp(page, now);
    return { page, now };
  }

  /** Pages may be found in several ways. Those that are pending are not to be seen. */
  #see({ page, now }: Seen): Page {
    if (page.pending) return page;
    const known = this.#pages.get(page.id);
    if (known !== undefined) return known;
    this.#queue.time.saw(now);
    this.#now = Math.max(this.#now, now);
    this.#pages.set(page.id, page);
    if (page.changed) this.#late.add(page);
    page.changed = false;
    if (this.#whereabouts.size > 0) for (const { id } of page.jobs) this.#whereabouts.get(id)?.push(page);
    return page;
  }
}

function openIds(changes: readonly PendingChange[]): JobId[] {
  return changes.flatMap(({ work, open }) => open.map((index) => work.ids[index]!));
}
