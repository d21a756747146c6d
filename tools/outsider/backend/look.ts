/** What a queue shows of itself. */
import type { DeliveredJob, JobState, QueueStats, ReadParams, ReadResult, StoredJob } from "@pq/core/backend";
import { byPlace, type Item, type JobQueue } from "./queue.ts";

/** A page ends here, so that it fits into a frame. */
const PAGE_BYTES = 16 * 1024 * 1024;

export function read(queue: JobQueue, params: ReadParams): ReadResult {
  if ("ids" in params) {
    const found = params.ids.flatMap((id) => queue.items.get(id) ?? []);
    return { jobs: found.map(stored), cursor: null };
  }
  const items = listed(queue, params.state);
  const start = Number(params.cursor ?? 0);
  let bytes = 0;
  const page = items.slice(start, start + params.limit).filter(({ job }, index) => {
    bytes += job.payload.length;
    return index === 0 || bytes <= PAGE_BYTES; // sizes only add up: what is left out is the end of the page
  });
  const end = start + page.length;
  return { jobs: page.map(stored), cursor: end < items.length ? String(end) : null };
}

const byEnd = (a: Item, b: Item): number => (a.until ?? 0) - (b.until ?? 0) || a.since - b.since;
const byArrival = (a: Item, b: Item): number => a.since - b.since;
const orders = { ready: byPlace, delayed: byEnd, leased: byEnd, buried: byArrival, done: byArrival };

function listed({ items }: JobQueue, state: JobState): Item[] {
  return [...items.values()].filter((item) => item.state === state).sort(orders[state]);
}

export function stats({ counts, paused, counters }: JobQueue): QueueStats {
  return { ...counts, paused, counters: { ...counters } };
}

export function delivered(item: Item): DeliveredJob {
  const { job, fence, attempt, lease, createdAt, lastError, progress } = item;
  const { id, payload, headers, priority, key, group, maxAttempts } = job;
  const delivery = { fence, attempt, lease, createdAt, lastError, progress };
  return { id, payload, headers, priority, key, group, maxAttempts, ...delivery };
}

function stored(item: Item): StoredJob {
  const { job, state, until, urgent, attempt, fence, createdAt, expiresAt } = item;
  const { buryReason, lastError, progress, result } = item;
  const { id, payload, headers, priority, key, group, maxAttempts } = job;
  const dueAt = state === "delayed" ? until : null;
  const leaseUntil = state === "leased" ? until : null;
  const asPut = { id, payload, headers, priority, urgent, key, group, maxAttempts, createdAt, expiresAt };
  return { ...asPut, state, attempt, fence, dueAt, leaseUntil, buryReason, lastError, progress, result };
}
