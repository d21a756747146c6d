/** Which jobs a take gets: the first ones of all pages, without reading more pages than that needs. */
import { randomInt } from "node:crypto";
import type { Located } from "./bodies.ts";
import type { Glimpse } from "./pages.ts";
import { deliverable, type Page } from "./page/page.ts";
import { comparePlaces, LANE_BYTES, placeBytes } from "./page/place.ts";

/** What one answer holds at most, in bytes of payloads; more than one job only. */
const MOST_BYTES = 16 * 1024 * 1024;

/** A page with something to give, as far as is known. */
type Candidate = Glimpse & Required<Pick<Glimpse, "next">>;

/** The pages that have something to give, most of them not read yet. */
export class Offer {
  /** The pages that were not read, in the order of their first jobs. */
  readonly #unread: Candidate[];
  /** There are more pages than were looked at; nothing behind this place can be given. */
  readonly #end: Uint8Array | undefined;
  readonly #jobs: Located[] = [];

  /** `glimpses`: in the order of their first jobs, at most `limit`. `pages`: read already. */
  constructor(glimpses: readonly Glimpse[], limit: number, pages: Iterable<Page>) {
    // The last job of a page may have been taken while it was looked at.
    const candidates = glimpses.filter((glimpse): glimpse is Candidate => glimpse.next !== undefined);
    this.#end = glimpses.length < limit ? undefined : candidates.at(-1)?.next.buffer;
    const read = new Set<string>();
    for (const page of pages) {
      read.add(page.id);
      this.add(page);
    }
    this.#unread = candidates.filter(({ _id }) => !read.has(_id));
  }

  /** A page that was read now. */
  add(page: Page): void {
    for (const job of deliverable(page)) this.#jobs.push({ page, job });
  }

  /**
   * Others are at the first pages: begin somewhere else, among those whose jobs are as good as the first one's. `width` counts steps of
   * as many pages as `count` jobs need.
   */
  spread(width: number, count: number): void {
    const lane = this.#unread[0]?.next.buffer.subarray(0, LANE_BYTES);
    if (lane === undefined || width < 2) return;
    const other = this.#unread.findIndex(({ next }) => Buffer.compare(next.buffer.subarray(0, LANE_BYTES), lane) !== 0);
    const alike = this.#unread.slice(0, other < 0 ? this.#unread.length : other);
    let step = 0;
    for (let free = 0; free < count && step < alike.length; step++) free += alike[step]!.free;
    const steps = Math.min(width, Math.ceil(alike.length / Math.max(1, step)));
    this.#unread.splice(0, randomInt(steps) * step);
  }

  /** There are pages that were not read, or not even looked at. */
  get more(): boolean {
    return this.#unread.length > 0 || this.#end !== undefined;
  }

  /** The pages, at most `most`, that must be read before it is known which jobs are the first `count`. They are taken to be read then. */
  needed(count: number, most: number): readonly Glimpse[] {
    if (count === 0) return [];
    const { jobs, full } = this.#collect(count, this.#end);
    const last = full ? placeBytes(jobs.at(-1)!.job).buffer : undefined;
    let free = jobs.length;
    let pages = 0;
    for (const { next, free: more } of this.#unread) {
      const enough = last === undefined ? free >= count : Buffer.compare(next.buffer, last) > 0;
      if (enough || pages === most) break;
      free += more;
      pages++;
    }
    return this.#unread.splice(0, pages);
  }

  /** The first jobs, `count` or as many as the pages that were read tell of. */
  first(count: number): readonly Located[] {
    return this.#collect(count, this.#unread[0]?.next.buffer ?? this.#end).jobs;
  }

  /** The first `count` jobs of the pages that were read, but for those behind `end`. `full`: no more fit, or may be given. */
  #collect(count: number, end: Uint8Array | undefined): { readonly jobs: readonly Located[]; readonly full: boolean } {
    const jobs: Located[] = [];
    let bytes = 0;
    for (const each of this.#jobs.sort((a, b) => comparePlaces(a.job, b.job))) {
      bytes += each.job.size;
      if (jobs.length === count) return { jobs, full: true };
      if (jobs.length > 0 && (bytes > MOST_BYTES || isBehind(each, end))) return { jobs, full: true };
      jobs.push(each);
    }
    return { jobs, full: jobs.length === count };
  }
}

function isBehind({ job }: Located, end: Uint8Array | undefined): boolean {
  return end !== undefined && Buffer.compare(placeBytes(job).buffer, end) > 0;
}
