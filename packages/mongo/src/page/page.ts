/** A page in memory, and its document. Every change is: `readPage`, `catchUp`, the call's own step, `pageUpdate`. */
import { Binary, type MatchKeysAndValues, type UpdateFilter } from "mongodb";
import { type Counters, JOB_STATES, type JobId, type RequestId } from "@pq/core/backend";
import { noJobs, type PageDocument, type StateCounts } from "../schema.ts";
import { type Calls, decode, encode } from "./codec.ts";
import type { PageJob } from "./job.ts";
import { comparePlaces, placeBytes } from "./place.ts";

/** How long a page remembers calls, in ms, and how many. */
export const REMEMBERED = { ms: 60_000, calls: 1_000 } as const;

/** How long a page may wait to be admitted before housekeeping asks what became of its put, in ms. */
const PENDING = 60_000;

/** The time of work that was left undone: housekeeping finds it at once. */
const AT_ONCE = new Date(0);
/** The latest time that a `Date` can have. */
export const LAST_TIME = 8.64e15;

/** Counters that can be counted up. */
type PageCounters = { -readonly [Name in keyof Counters]: Counters[Name] };

/** A page, decoded. Its functions change it; what changes it without being written is thrown away. */
export interface Page {
  readonly id: string;
  readonly queue: string;
  readonly n: number;
  /** ms since 1970. */
  readonly at: number;
  /** The version that was read. */
  version: number;
  readonly jobs: PageJob[];
  readonly calls: Calls;
  readonly counters: PageCounters;
  /** Groups to look after: `groups.ts`. */
  readonly todo: Set<string>;
  /** When the last job went, ms since 1970. */
  closed: number | null;
  pending: boolean;
  /** The payloads, if they are in the page. */
  readonly body: Buffer | null;
  /** How many jobs' payloads are in one document of `bodies`. */
  readonly per: number;
  /** Is anything to be written? */
  changed: boolean;
  /** Made by `findJob` when it is first asked. */
  byId?: ReadonlyMap<JobId, PageJob>;
}

/** What `readPage` needs of a document. */
export type StoredPage = Pick<
  PageDocument,
  "_id" | "q" | "n" | "at" | "v" | "s" | "k" | "todo" | "closed" | "pending" | "damaged" | "body" | "per"
>;

/** The fields of `StoredPage`. */
export const pageFields = {
  _id: 1,
  q: 1,
  n: 1,
  at: 1,
  v: 1,
  s: 1,
  k: 1,
  todo: 1,
  closed: 1,
  pending: 1,
  damaged: 1,
  body: 1,
  per: 1,
} as const;

/** Decode a page. Throws `CORRUPT`. */
export function readPage(stored: StoredPage): Page {
  const at = stored.at.getTime();
  return {
    id: stored._id,
    queue: stored.q,
    n: stored.n,
    at,
    version: stored.v,
    ...decode(stored.s.buffer, at, stored.n),
    counters: { ...stored.k },
    todo: new Set(stored.todo),
    closed: stored.closed?.getTime() ?? null,
    pending: stored.pending ?? false,
    body: stored.body === undefined ? null : Buffer.from(stored.body.buffer),
    per: stored.per,
    changed: false,
  };
}

/** The job of this id, also when it is gone. */
export function findJob(page: Page, id: JobId): PageJob | undefined {
  page.byId ??= new Map(page.jobs.map((job) => [job.id, job]));
  return page.byId.get(id);
}

/** Can it be given out, as far as this page knows? */
export function isDeliverable(job: PageJob): boolean {
  return job.state === "ready" && (job.group === null || job.armed);
}

/** Those that can be given out, in order. */
export function deliverable(page: Page): PageJob[] {
  return page.jobs.filter(isDeliverable).toSorted(comparePlaces);
}

/** The newest lease of this job, or 0: the number of the put call, and how often the job was delivered. So it also grows when an id is put again. */
export function fenceOf(page: Page, { deliveries }: PageJob): number {
  return deliveries === 0 ? 0 : page.n * DELIVERIES + deliveries;
}

/** Deliveries of one job after which its fences reach into those of the next put call, which only matters to an id that is put again. */
const DELIVERIES = 8192;

/** All fields that follow from the jobs. Those that are not there are `undefined`. */
type Derived = Required<Pick<PageDocument, "s" | "free" | "in" | "c" | "k" | "takes">> & {
  readonly [Name in "next" | "wake" | "todo" | "closed" | "pending"]: PageDocument[Name] | undefined;
};

/** The fields of a page that change, as they are to be stored. */
export function derived(page: Page): Derived {
  const { c, takes, free, first, moment } = survey(page);
  const wake = page.pending ? page.at + PENDING : Math.min(moment, LAST_TIME);
  return {
    s: new Binary(encode(page, page.at, page.n)),
    next: first === undefined || page.pending ? undefined : placeBytes(first),
    free,
    wake: page.todo.size > 0 && !page.pending ? AT_ONCE : wake === LAST_TIME ? undefined : new Date(wake),
    in: page.pending ? [] : JOB_STATES.filter((state) => c[state] > 0),
    c,
    k: page.counters,
    takes: [...takes],
    todo: page.todo.size === 0 ? undefined : [...page.todo],
    closed: page.closed === null ? undefined : new Date(page.closed),
    pending: page.pending || undefined,
  };
}

/** What there is to know of all jobs together. */
interface Survey {
  readonly c: StateCounts;
  readonly takes: ReadonlySet<RequestId>;
  readonly free: number;
  /** The first job that can be given out. */
  readonly first: PageJob | undefined;
  /** When something happens by itself, ms since 1970. */
  readonly moment: number;
}

function survey({ jobs }: Page): Survey {
  const c = { ...noJobs };
  const takes = new Set<RequestId>();
  let first: PageJob | undefined;
  let free = 0;
  let moment = Infinity;
  for (const job of jobs) {
    if (job.state === "gone" || job.state === "damaged") continue;
    c[job.state]++;
    if (job.takenBy !== null) takes.add(job.takenBy);
    moment = Math.min(moment, nextMoment(job));
    if (!isDeliverable(job)) continue;
    free++;
    if (first === undefined || comparePlaces(job, first) < 0) first = job;
  }
  return { c, takes, free, first, moment };
}

/** When something happens to a job by itself; `Infinity`: never. */
function nextMoment({ state, until, expiresAt }: PageJob): number {
  const waiting = state === "ready" || state === "delayed";
  return Math.min(until ?? Infinity, waiting ? (expiresAt ?? Infinity) : Infinity);
}

/** What writes a changed page. The filter must name the version that was read. */
export function pageUpdate(page: Page): UpdateFilter<PageDocument> {
  const fields = Object.entries({ ...derived(page), v: page.version + 1 });
  const set = Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  const unset = Object.fromEntries(fields.flatMap(([name, value]) => (value === undefined ? [[name, ""]] : [])));
  const update = { $set: set as MatchKeysAndValues<PageDocument> };
  return Object.keys(unset).length === 0
    ? update
    : { ...update, $unset: unset as { [Name in keyof PageDocument]?: "" } };
}
