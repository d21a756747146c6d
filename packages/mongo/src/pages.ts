/** Reading and writing the pages of a queue. */
import type { AnyBulkWriteOperation, ClientSession, Document, Filter, Sort } from "mongodb";
import { isPqError, type OpenParams } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { type Page, pageFields, pageUpdate, readPage, type StoredPage } from "./page/page.ts";
import { catchUp } from "./page/life.ts";
import { leave } from "./lanes.ts";
import { noJobs, type PageDocument } from "./schema.ts";
import type { ServerTime } from "./server-time.ts";
import { within } from "./session.ts";

/** Pages with something due that one call looks after. */
export const MOST_DUE = 32;
/** The time of the server is not known better than so, in ms: a page that is not due yet is read in vain. */
const SLACK = 5;

/** Pages that `each` has in memory. */
const AT_A_TIME = 32;

/** A page as it was at a moment of the server, and has caught up with it. */
export interface Seen {
  readonly page: Page;
  /** ms since 1970 by the server's clock. */
  readonly now: number;
}

/** What can be known of a page without reading all of it. */
export interface Glimpse {
  readonly _id: string;
  readonly v: number;
  readonly free: number;
  readonly next?: { readonly buffer: Uint8Array };
  /** The time of the server. */
  readonly now: Date;
}

/** What waiting needs of a page. */
export interface Outlook extends Pick<PageDocument, "_id" | "v" | "wake" | "called"> {
  /** The time of the server. */
  readonly now: Date;
}

/** What became of pages that were to be written. */
export interface Written {
  /** Those that certainly were. */
  readonly written: ReadonlySet<Page>;
  /** Those that perhaps were, and were changed by others since. */
  readonly unsure: ReadonlySet<Page>;
}

/** Which pages to read, and how many. */
interface Selection {
  /** As a transaction sees them. */
  readonly session?: ClientSession;
  readonly sort?: Sort;
  readonly limit?: number;
}

/** In which pages something may have fallen due. */
function dueBy(time: ServerTime): Filter<PageDocument> {
  return { wake: { $lte: new Date(time.now + SLACK) } };
}

/** The pages of one queue. */
export class Pages {
  readonly queue: string;
  readonly #report: OpenParams["report"];

  constructor(queue: string, report: OpenParams["report"]) {
    this.queue = queue;
    this.#report = report;
  }

  /** Read pages; each has caught up with its time. One that is damaged is put aside and left out. */
  async read(call: Call, filter: Filter<PageDocument>, selection: Selection = {}): Promise<Seen[]> {
    const found = await this.#aggregate<StoredPage & { now: Date }>(call, filter, selection, pageFields);
    const seen = await Promise.all(found.map((stored) => this.#decode(call, stored)));
    return seen.filter((each) => each !== undefined);
  }

  /** The pages in which something has fallen due, the longest overdue first. */
  due(call: Call, time: ServerTime, limit: number = MOST_DUE): Promise<Seen[]> {
    return this.read(call, dueBy(time), { sort: { wake: 1 }, limit });
  }

  /** The same as `read`, one page after the other, however many there are. */
  async *each(call: Call, filter: Filter<PageDocument>): AsyncGenerator<Seen, void> {
    const stages = [{ $match: { ...filter, q: this.queue } }, { $project: { ...pageFields, now: "$$NOW" } }];
    const cursor = await call.read(async ({ pages }) => {
      return pages.aggregate<StoredPage & { now: Date }>(stages, { batchSize: AT_A_TIME });
    });
    try {
      while (await call.read(() => cursor.hasNext())) {
        for (const stored of cursor.readBufferedDocuments()) {
          const seen = await this.#decode(call, stored);
          if (seen !== undefined) yield seen;
        }
      }
    } finally {
      // It may have been left before its end.
      await cursor.close().catch(() => undefined);
    }
  }

  /** What is cheap to know about pages. */
  glimpse(call: Call, filter: Filter<PageDocument>, selection: Selection = {}): Promise<Glimpse[]> {
    return this.#aggregate<Glimpse>(call, filter, selection, { _id: 1, v: 1, free: 1, next: 1 });
  }

  /** Whether pages have jobs, and when they change by themselves. */
  outlook(call: Call, filter: Filter<PageDocument>, selection: Selection): Promise<Outlook[]> {
    return this.#aggregate<Outlook>(call, filter, selection, { _id: 1, v: 1, wake: 1, called: 1 });
  }

  /**
   * Write pages that were changed, each if nobody else changed it since it was read. Those that were not certainly written are to be read and
   * decided upon again. `guard`: what must hold as well.
   */
  async write(call: Call, pages: readonly Page[], guard: Filter<PageDocument> = {}): Promise<Written> {
    if (pages.length === 0) return { written: new Set(), unsure: new Set() };
    const updates = pages.map(pageUpdate);
    const operations = pages.map((page, index): AnyBulkWriteOperation<PageDocument> => ({
      updateOne: { filter: { _id: page.id, q: this.queue, v: page.version, ...guard }, update: updates[index]! },
    }));
    const { matchedCount } = await call.write(({ pages: collection }) =>
      collection.bulkWrite(operations, { ordered: false }),
    );
    const written = new Set(matchedCount === 0 ? [] : pages);
    const unsure = new Set<Page>();
    if (matchedCount > 0 && matchedCount < pages.length) {
      const stored = await this.#states(call, pages);
      for (const [index, page] of pages.entries()) {
        const state = stored.get(page.id);
        const mine = updates[index]!.$set!.s!.buffer;
        if (state?.v === page.version + 1 && Buffer.compare(state.s.buffer, mine) === 0) continue;
        written.delete(page);
        // Whoever has changed it after that may have come after this write, or before it.
        if (state === undefined || state.v > page.version + 1) unsure.add(page);
      }
      if (written.size === matchedCount) unsure.clear();
    }
    for (const page of written) {
      page.version++;
      page.changed = false;
    }
    return { written, unsure };
  }

  /** Like `write`, for those who need all: `false` when one was not written, or perhaps not. */
  async writeAll(call: Call, pages: readonly Page[], guard: Filter<PageDocument> = {}): Promise<boolean> {
    return (await this.write(call, pages, guard)).written.size === pages.length;
  }

  /** What is stored of these pages. */
  async #states(call: Call, pages: readonly Page[]): Promise<ReadonlyMap<string, Pick<PageDocument, "v" | "s">>> {
    const filter = { _id: { $in: pages.map(({ id }) => id) } };
    const found = await this.#aggregate<Pick<PageDocument, "_id" | "v" | "s">>(call, filter, {}, { v: 1, s: 1 });
    return new Map(found.map((state) => [state._id, state]));
  }

  #aggregate<T extends Document>(
    call: Call,
    filter: Filter<PageDocument>,
    { sort, limit, session }: Selection,
    fields: Document,
  ): Promise<T[]> {
    const stages: Document[] = [{ $match: { ...filter, q: this.queue } }];
    if (sort !== undefined) stages.push({ $sort: sort });
    if (limit !== undefined) stages.push({ $limit: limit });
    stages.push({ $project: { ...fields, now: "$$NOW" } });
    return call.read(({ pages }) => pages.aggregate<T>(stages, within(session)).toArray());
  }

  async #decode(call: Call, stored: StoredPage & { now: Date }): Promise<Seen | undefined> {
    if (stored.damaged === true) return undefined;
    try {
      const page = readPage(stored);
      const now = stored.now.getTime();
      catchUp(page, now);
      return { page, now };
    } catch (error) {
      if (!isPqError(error, "CORRUPT") && !(error instanceof TypeError)) throw error;
      await this.#putAside(call, stored);
      return undefined;
    }
  }

  /** Nobody finds it any more, and its names are free; its bytes stay. */
  async #putAside(call: Call, { _id, v }: StoredPage): Promise<void> {
    await leave(call, this.queue, _id);
    const $set = { damaged: true, free: 0, in: [], c: noJobs, takes: [], names: [_id] };
    await call.write(({ pages }) =>
      pages.updateOne({ _id, q: this.queue, v }, { $set, $unset: { next: "", wake: "", closed: "", pending: "" } }),
    );
    const message = `page ${_id} could not be read and was put aside: it is marked with "damaged" in the collection of pages`;
    this.#report({ type: "damage", queue: this.queue, where: _id, message });
  }
}
