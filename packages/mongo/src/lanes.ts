/**
 * In which pages a group has members, in the order of their first ones: a document for each group of a page.
 *
 * Its `p` is a lower bound: no member of the group in that page has a lower position. `enter` sets it, or lowers it, and changes `v` each
 * time. It is raised, or the document deleted, by whoever finds it wrong: with `v` as it was before the page was read, or found to have the
 * version still that was read. So an entry is never taken back by somebody who has not seen the member for which it was made. For that it must be
 * stored as a member: who read the same version before it fell due has not seen it.
 */
import { type AnyBulkWriteOperation, type Binary, ObjectId } from "mongodb";
import type { Located } from "./bodies.ts";
import type { Call } from "./call.ts";
import type { PageJob } from "./page/job.ts";
import type { Page } from "./page/page.ts";
import { comparePositions, positionBytes } from "./page/place.ts";
import { type LaneDocument, laneId } from "./schema.ts";
import { upsert } from "./upsert.ts";

/** Pages of each group that are read at a time: the one that was the first so far may have no member left. */
const PAGES = 2;
/** Pages that a group is left to, of which one is enough. */
const LEFT_TO = 8;
/** Groups that are searched at a time. */
const GROUPS = 50;

/** Does it have a place in its group? One that was put with a delay has none before it is due. */
export function isMember({ state, deliveries }: PageJob): boolean {
  return state === "ready" || (state === "delayed" && deliveries > 0);
}

/** The first member of each of these groups in a page. */
export function firstMembers(page: Page, groups: ReadonlySet<string>): ReadonlyMap<string, PageJob> {
  const first = new Map<string, PageJob>();
  if (page.pending) return first;
  for (const job of page.jobs) {
    if (job.group === null || !isMember(job) || !groups.has(job.group)) continue;
    const before = first.get(job.group);
    if (before === undefined || comparePositions(job, before) < 0) first.set(job.group, job);
  }
  return first;
}

/** Enter the members of these groups of pages, which are as they are stored. */
export async function enter(call: Call, todo: ReadonlyMap<Page, ReadonlySet<string>>): Promise<void> {
  const v = newVersion();
  const entries = [...todo].flatMap(([page, groups]) =>
    [...firstMembers(page, groups)].map(([g, job]): AnyBulkWriteOperation<LaneDocument> => ({
      updateOne: {
        filter: { _id: laneId(page.id, g), q: page.queue },
        update: { $set: { v }, $min: { p: positionBytes(job) }, $setOnInsert: { g, page: page.id } },
        upsert: true,
      },
    })),
  );
  if (entries.length === 0) return;
  await upsert(() => call.write(({ lanes }) => lanes.bulkWrite(entries, { ordered: false })));
}

/** A page that cannot be read has no members any more. Groups whose turn it has are put on the `todo` of others. */
export async function leave(call: Call, queue: string, page: string): Promise<void> {
  const turns = await call.read(({ groups }) => groups.find({ q: queue, page }).toArray());
  for (const { g } of turns) {
    const others = await call.read(({ lanes }) =>
      lanes
        .find({ q: queue, g, page: { $ne: page } })
        .sort({ p: 1 })
        .limit(LEFT_TO)
        .toArray(),
    );
    const ids = others.map((lane) => lane.page);
    await call.write(({ pages }) =>
      pages.updateMany(
        { _id: { $in: ids }, q: queue, damaged: { $exists: false } },
        { $addToSet: { todo: g }, $set: { wake: new Date(0) }, $inc: { v: 1 } },
      ),
    );
  }
}

/** What is needed to search. */
export interface Search {
  readonly call: Call;
  readonly queue: string;
  /** Reads pages. Those that are gone are left out; `undefined`: it is of no use to go on. */
  readonly read: (ids: readonly string[]) => Promise<ReadonlyMap<string, Page> | undefined>;
}

/** What a search has found. */
export interface Found {
  /** The first members of the groups that have any. */
  readonly heads: ReadonlyMap<string, Located>;
  /** Writes that mend documents that were found wrong. */
  readonly mend: readonly AnyBulkWriteOperation<LaneDocument>[];
}

/** Find the first members of groups, as `read` gives up to date pages; `undefined` when it gives none. */
export async function findHeads(search: Search, groups: readonly string[]): Promise<Found | undefined> {
  const heads = new Map<string, Located>();
  const mend: AnyBulkWriteOperation<LaneDocument>[] = [];
  let left = [...groups];
  while (left.length > 0) {
    const some = left.splice(0, GROUPS);
    const lanes = await Promise.all(some.map((group) => readLane(search, group)));
    const ids = new Set(lanes.flatMap(({ first }) => first.map(({ page }) => page)));
    const pages = await search.read([...ids]);
    if (pages === undefined) return undefined;
    const undecided: string[] = [];
    for (const lane of look(lanes, pages, new Set(some))) {
      mend.push(...lane.mend);
      if (!lane.decided) undecided.push(lane.group);
      else if (lane.head !== undefined) heads.set(lane.group, lane.head);
    }
    // With their documents mended they stand in another order.
    if (undecided.length > 0) await mendLanes(search.call, mend.splice(0));
    left = [...undecided, ...left];
  }
  return { heads, mend };
}

/** Carry out what a search has found to be mended. */
export async function mendLanes(call: Call, mend: readonly AnyBulkWriteOperation<LaneDocument>[]): Promise<void> {
  if (mend.length > 0) await call.write(({ lanes }) => lanes.bulkWrite([...mend], { ordered: false }));
}

/** The first documents of a group. */
interface Lane {
  readonly group: string;
  readonly first: readonly LaneDocument[];
  /** The one after them. */
  readonly next: LaneDocument | undefined;
}

async function readLane({ call, queue }: Search, group: string): Promise<Lane> {
  const found = await call.read(({ lanes }) =>
    lanes
      .find({ q: queue, g: group })
      .sort({ p: 1 })
      .limit(PAGES + 1)
      .toArray(),
  );
  return { group, first: found.slice(0, PAGES), next: found[PAGES] };
}

/** What is known of a group now. */
interface Looked {
  readonly group: string;
  readonly head: Located | undefined;
  /** Nobody can stand before the head. */
  readonly decided: boolean;
  readonly mend: readonly AnyBulkWriteOperation<LaneDocument>[];
}

function* look(
  lanes: readonly Lane[],
  pages: ReadonlyMap<string, Page>,
  groups: ReadonlySet<string>,
): Generator<Looked> {
  const members = new Map([...pages.values()].map((page) => [page.id, firstMembers(page, groups)]));
  for (const { group, first, next } of lanes) {
    const mend: AnyBulkWriteOperation<LaneDocument>[] = [];
    const found = first.flatMap((lane): Standing[] => {
      const job = members.get(lane.page)?.get(group);
      if (job !== undefined) return [{ lane, page: pages.get(lane.page)!, job, position: positionBytes(job) }];
      mend.push({ deleteOne: { filter: entryOf(lane) } });
      return [];
    });
    const [head, ...others] = found.toSorted((a, b) => comparePositions(a.job, b.job));
    const decided = next === undefined || (head !== undefined && isUpTo(head.position, next.p));
    const stale = (decided ? others : found).filter(({ lane, position }) => !isUpTo(position, lane.p));
    mend.push(...stale.map(({ lane, position }) => raise(lane, position)));
    yield { group, head, decided, mend };
  }
}

/** A first member where a document says there is one. */
interface Standing extends Located {
  readonly lane: LaneDocument;
  readonly position: Binary;
}

function raise(lane: LaneDocument, p: Binary): AnyBulkWriteOperation<LaneDocument> {
  return { updateOne: { filter: entryOf(lane), update: { $set: { p } } } };
}

/** The document as it was read. */
function entryOf({ _id, q, v }: LaneDocument): Pick<LaneDocument, "_id" | "q" | "v"> {
  return { _id, q, v };
}

function isUpTo(position: Binary, other: Binary): boolean {
  return Buffer.compare(position.buffer, other.buffer) <= 0;
}

function newVersion(): string {
  return new ObjectId().toHexString();
}
