/** Which jobs a take gets: the first ones of all pages, without reading more pages than that needs. */
import { randomInt } from "node:crypto";
import type { Located } from "./bodies.ts";
import type { Glimpse } from "./pages.ts";
import { deliverable, type Page } from "./page/page.ts";
import { comparePlaces, LANE_BYTES, placeBytes } from "./page/place.ts";

/** What one answer holds at most, in bytes of payloads; more than one job only. */
const MOST_BYTES = 16 * 1024 * 1024;

/** The pages that have something to give, most of them not read yet. */
export class Offer {
  /** The pages that were not read, in the order of their first jobs. */
  readonly #unread: Glimpse[];
  /** There are more pages than were looked at; nothing behind this place can be given. */
  readonly #end: Uint8Array | undefined;
  readonly #jobs: Located[] = [];

  /** `glimpses`: in the order of their first jobs, at most `limit`. `pages`: read already. */
  constructor(glimpses: readonly Glimpse[], limit: number, pages: Iterable<Page>) {
    this.#end = glimpses.length < limit ? undefined : glimpses.at(-1)?.next?.buffer;
    const read = new Set<string>();
    for (const page of pages) {
      read.add(page.id);
      this.add(page);
    }
    this.#unread = glimpses.filter(({ _id }) => !read.has(_id));
  }

  /** A page that was read now. */
  add(page: Page): void {
    for (const job of deliverable(page)) this.#jobs.push({ page, job });
  }

  /** Pass over pages at random, among those whose jobs are as good as the first one's: others are at the first ones. */
  spread(width: number): void {
    const lane = this.#unread[0]?.next?.buffer.subarray(0, LANE_BYTES);
    if (lane === undefined || width < 2) return;
    const alike = this.#unread.findIndex(
      ({ next }) => Buffer.compare(next!.buffer.subarray(0, LANE_BYTES), lane) !== 0,
    );
    const most = Math.min(width, alike < 0 ? this.#unread.length : alike);
    this.#unread.splice(0, randomInt(most));
  }

  /** The pages that must be read before it is known which jobs are the first `count`. They are taken to be read then. */
  needed(count: number): Glimpse[] {
    const { jobs, full } = this.first(count);
    const last = full ? placeBytes(jobs.at(-1)!.job).buffer : undefined;
    let free = jobs.length;
    let pages = 0;
    for (const { next, free: more } of this.#unread) {
      const enough = last === undefined ? free >= count : Buffer.compare(next!.buffer, last) > 0;
      if (enough) break;
      free += more;
      pages++;
    }
    return this.#unread.splice(0, pages);
  }

  /** The first `count` jobs of the pages that were read. `full`: no more fit, or may be given. */
  first(count: number): { readonly jobs: readonly Located[]; readonly full: boolean } {
    const jobs: Located[] = [];
    let bytes = 0;
    for (const each of this.#jobs.sort((a, b) => comparePlaces(a.job, b.job))) {
      bytes += each.job.size;
      if (jobs.length > 0 && (bytes > MOST_BYTES || this.#isBehindEnd(each))) return { jobs, full: true };
      jobs.push(each);
      if (jobs.length === count) return { jobs, full: true };
    }
    return { jobs, full: false };
  }

  #isBehindEnd({ job }: Located): boolean {
    return this.#end !== undefined && Buffer.compare(placeBytes(job).buffer, this.#end) > 0;
  }
}
