/**
 * What is stored, and where. The only file that builds stored names.
 *
 * A put makes one **page**: a document with all of its jobs, which is changed as a whole, by compare-and-set on its version. Payloads are
 * not in it (unless they are small), since they never change. The other collections hold what belongs to a queue as a whole.
 *
 * `q`, the name of the queue, is in every document and every filter: it is the shard key, so a queue lives on one shard and one clock judges it.
 */
import { createHash } from "node:crypto";
import type { Counters, JobState, RequestId } from "@pq/core/backend";
import type { Binary, Collection, Db, CollectionOptions, IndexDescription } from "mongodb";

/** The stored format that this version writes and reads. */
export const FORMAT = 1;

/** Jobs of a page by state. */
export type StateCounts = Record<JobState, number>;

/** No jobs in any state. */
export const noJobs: Readonly<StateCounts> = { ready: 0, delayed: 0, leased: 0, buried: 0, done: 0 };

/** A page: the jobs of one put call. See `page/page.ts` for how the fields come about. */
export interface PageDocument {
  /** `<hash of the queue>:<request of the put>`, so that a repeated put finds its page. */
  _id: string;
  q: string;
  /** The number of the put call, from the queue's head. */
  n: number;
  /** When that number was drawn, by the server's clock. */
  at: Date;
  /** Counts the changes: what makes each a compare-and-set. */
  v: number;
  /** The page's `_id`, the ids of its jobs and their keys, which no two pages of a queue share. A job that is gone may still be named. */
  names: (string | Binary)[];
  /** Ids that were listed in `names` until another page wanted them. What calls did to those jobs is still known here. */
  was?: Binary[];
  /** The jobs, and the memory of the calls that changed them: `page/codec.ts`. */
  s: Binary;
  /** The payloads, when they are small: `page/body.ts`. Else they are in `bodies`. */
  body?: Binary;
  /** How many jobs' payloads are in one document of `bodies`. */
  per: number;
  /** What the put was answered for each job, when not all were added: "" for added, "full", or the id of the job that it is a duplicate of. */
  put?: string[];

  // What follows is derived from `s` at each change, so that indexes and sums can see it.

  /** The place of the first job that can be delivered. */
  next?: Binary;
  /** How many can be. */
  free: number;
  /** When something happens in it by itself; the beginning of time when work on it was left undone. */
  wake?: Date;
  /** The states of its jobs. */
  in: JobState[];
  c: StateCounts;
  k: Counters;
  /** The takes that hold leases in it. */
  takes: string[];
  /** Groups whose lane may have a new head by a change of this page. */
  todo?: string[];
  /** When its last job went: it only remembers its calls now. */
  closed?: Date;
  /** Its bytes could not be read: it is left as it is, for an operator. */
  damaged?: boolean;
  /** Of a put with `maxSize` that was not admitted yet: nobody sees it. */
  pending?: boolean;
  /** Waiters that were told of its jobs: `claim.ts`. */
  called?: { v: number; k: number; until: Date };
}

/** Bytes of jobs that never change: `bodies.ts`. Written before a page points at them. */
export interface BodyDocument {
  /** `<page>/<chunk>` for payloads, `<page>/<object id>` for errors, progress and results. */
  _id: string;
  q: string;
  page: string;
  at: Date;
  p: Binary;
}

/** What a queue has one of. */
export interface HeadDocument {
  /** The name of the queue. */
  _id: string;
  q: string;
  /** The number of the last put call, or of another call that needed a place at the end. */
  n: number;
  at: Date;
  paused?: boolean;
  /** The last calls of pause and resume. */
  calls?: string[];
  /** Counters of pages that are deleted. */
  total?: Counters;
  /** Pages that are counted in `total` and about to be deleted: `fold.ts`. */
  fold?: { v: number; pages: string[] };
}

/** Where a group's first member stands in one page: `lanes.ts`. */
export interface LaneDocument {
  /** `<page>/<group>`. */
  _id: string;
  q: string;
  /** The group. */
  g: string;
  page: string;
  /** Another one for each entry. */
  v: string;
  /** No member of the group in this page has a lower position. */
  p: Binary;
}

/** Whose turn it is in a group: `turns.ts`. */
export interface GroupDocument {
  /** `<hash of the queue>:<group>`. */
  _id: string;
  q: string;
  /** The group. */
  g: string;
  /** Another one for each change. */
  v: string;
  /** The page of the job whose turn it is, and its index in the put. */
  page: string;
  index: number;
}

/** The page that `maxSize` admitted last: `admission.ts`. Apart from the head, which a transaction would lock. */
export interface AdmissionDocument {
  /** The name of the queue. */
  _id: string;
  q: string;
  page: string;
  /** The number of that page. */
  n: number;
}

/** A kick or truncate under way, or done: `control.ts`. */
export interface ControlDocument {
  _id: RequestId;
  q: string;
  /** When it was last called. */
  at: Date;
  /** Counts the changes. */
  v: number;
  /** The head's number when it began. */
  n: number;
  /** The jobs that it changed in the steps that are over. */
  count: number;
  /** What it is at. Written down before it is begun, so that whoever repeats the call can finish it. */
  step: ControlStep | null;
  /** `count` is the answer. */
  over: boolean;
}

/** Pages, and which jobs of each, by their indexes; `null`: all. */
export type ControlStep = readonly { readonly page: string; readonly jobs: readonly number[] | null }[];

/** What the store as a whole has one of each. */
type MetaDocument =
  | { readonly _id: "format"; readonly version: number }
  /** When somebody last looked for what no page points at: `sweep.ts`. */
  | { readonly _id: "sweep"; readonly at: Date };

/** All of them. */
export interface Collections {
  readonly pages: Collection<PageDocument>;
  readonly bodies: Collection<BodyDocument>;
  readonly heads: Collection<HeadDocument>;
  readonly lanes: Collection<LaneDocument>;
  readonly groups: Collection<GroupDocument>;
  readonly admissions: Collection<AdmissionDocument>;
  readonly controls: Collection<ControlDocument>;
  readonly meta: Collection<MetaDocument>;
}

/** The collections under this prefix. */
export function collections(db: Db, prefix: string, options: CollectionOptions): Collections {
  return {
    pages: db.collection(`${prefix}.pages`, options),
    bodies: db.collection(`${prefix}.bodies`, options),
    heads: db.collection(`${prefix}.heads`, options),
    lanes: db.collection(`${prefix}.lanes`, options),
    groups: db.collection(`${prefix}.groups`, options),
    admissions: db.collection(`${prefix}.admissions`, options),
    controls: db.collection(`${prefix}.controls`, options),
    meta: db.collection(`${prefix}.meta`, options),
  };
}

/** An index of the pages that have this field. */
function pagesWith(field: string, ...more: string[]): IndexDescription {
  const key = Object.fromEntries(["q", field, ...more].map((name) => [name, 1]));
  return { key, name: field, partialFilterExpression: { [field]: { $exists: true } } };
}

/** How long the answer of a kick or truncate is kept, in seconds. */
const CONTROL_KEPT = 3600;

/** The indexes that every hot query uses. */
export const indexes: { readonly [name in keyof Collections]: readonly IndexDescription[] } = {
  pages: [
    { key: { q: 1, names: 1 }, name: "names", unique: true },
    pagesWith("was"),
    pagesWith("next"),
    pagesWith("wake"),
    pagesWith("closed"),
    { key: { q: 1, in: 1, n: 1 }, name: "in" },
    // Of what never changes: a page that moved in the index while it is walked would be missed, or seen twice.
    { key: { q: 1, n: 1 }, name: "n" },
    { key: { q: 1, takes: 1 }, name: "takes" },
  ],
  bodies: [{ key: { q: 1, page: 1 }, name: "page" }],
  heads: [],
  lanes: [
    { key: { q: 1, g: 1, p: 1 }, name: "lane" },
    { key: { q: 1, page: 1 }, name: "page" },
  ],
  groups: [],
  admissions: [],
  controls: [{ key: { at: 1 }, name: "at", expireAfterSeconds: CONTROL_KEPT }],
  meta: [],
};

/** A name of any text as 16 hexadecimal characters. */
export function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 16);
}

/** The page of a put. */
export function pageId(queue: string, request: RequestId): string {
  return `${hashOf(queue)}:${request}`;
}

/** The document of a group. */
export function groupId(queue: string, group: string): string {
  return `${hashOf(queue)}:${group}`;
}

/** The document of a group in a page. */
export function laneId(page: string, group: string): string {
  return `${page}/${group}`;
}
