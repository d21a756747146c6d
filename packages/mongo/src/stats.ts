/** Counting. Each page has its counts with it, so this costs as much as there are pages, however many jobs are in them. */
import type { Counters, JobState, QueueStats } from "@pq/core/backend";
import { JOB_STATES } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { readHead, readHeadNow } from "./head.ts";
import { housekeep } from "./housekeeping.ts";
import { noCounters } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import { type HeadDocument, noJobs } from "./schema.ts";

/** What has fallen due is written first, in so many steps of so many pages at most. */
const STEPS = 10;
const PAGES = 100;
/** Tries to sum up while nobody begins to delete pages. */
const TRIES = 5;
/** Queues that are asked about at a time. */
const QUEUES_AT_A_TIME = 16;

const COUNTERS = Object.keys(noCounters) as (keyof Counters)[];

/** What pages have together. */
type Sums = Record<JobState, number> & Counters;

const nothing: Sums = { ...noJobs, ...noCounters };

/** Jobs by state, and the counters. */
export async function readStats(call: Call, parts: QueueParts): Promise<QueueStats> {
  if ((await readHeadNow(call, parts)) !== null) {
    for (let step = 0; step < STEPS && (await housekeep(call, parts, PAGES)); step++);
  }
  let head = await readHead(call, parts.queue);
  for (let tries = 1; ; tries++) {
    const sums = await sumUp(call, parts.queue, head?.fold?.pages ?? []);
    const after = await readHead(call, parts.queue);
    // Pages that were counted in the head meanwhile may be in neither.
    if (head?.fold?.v === after?.fold?.v || tries === TRIES) return statsOf(after, sums);
    head = after;
  }
}

function statsOf(head: HeadDocument | null, sums: Sums): QueueStats {
  const { ready, delayed, leased, buried, done } = sums;
  const counters = COUNTERS.map((name) => [name, sums[name] + (head?.total?.[name] ?? 0)] as const);
  return {
    ready,
    delayed,
    leased,
    buried,
    done,
    paused: head?.paused ?? false,
    counters: Object.fromEntries(counters) as Record<keyof Counters, number>,
  };
}

/** Of all pages but those that the head counts. */
async function sumUp(call: Call, queue: string, folded: readonly string[]): Promise<Sums> {
  const sums = Object.fromEntries([
    ...JOB_STATES.map((state) => [state, { $sum: `$c.${state}` }]),
    ...COUNTERS.map((name) => [name, { $sum: `$k.${name}` }]),
  ]) as Record<string, { $sum: string }>;
  const stages = [
    { $match: { q: queue, _id: { $nin: folded }, pending: { $exists: false } } },
    { $group: { _id: null, ...sums } },
  ];
  // By the one index whose fields never change: a page that moves in it meanwhile would be missed.
  const [found] = await call.read(({ pages }) => pages.aggregate<Sums>(stages, { hint: "n" }).toArray());
  return found ?? nothing;
}

/** The queues that ever had a job. */
export async function queueNames(call: Call): Promise<string[]> {
  const heads = await call.read(({ heads }) => heads.find({}, { projection: { total: 1 } }).toArray());
  const names: string[] = [];
  for (let from = 0; from < heads.length; from += QUEUES_AT_A_TIME) {
    const some = heads.slice(from, from + QUEUES_AT_A_TIME);
    const known = await Promise.all(some.map((head) => hadJobs(call, head)));
    names.push(...some.filter((_, index) => known[index]).map(({ _id }) => _id));
  }
  return names;
}

/** Deleted pages are counted in the head; of the others one that had a job is enough. */
async function hadJobs(call: Call, { _id, total }: Pick<HeadDocument, "_id" | "total">): Promise<boolean> {
  if (total !== undefined && total.put > 0) return true;
  const filter = { q: _id, "k.put": { $gt: 0 }, pending: { $exists: false } };
  return (await call.read(({ pages }) => pages.findOne(filter, { projection: { _id: 1 } }))) !== null;
}
