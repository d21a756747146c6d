/**
 * Put, in pieces: `planPut` decides and changes nothing; `factsOf` gives each added job its position; the store writes it where it
 * keeps it; `queue.admit` enters it, unseen, `queue.jobs.locate` notes where it stands, and `queue.commit` lets it be seen.
 * What was decided is counted by `countPut`.
 */
import type { PutOutcome, PutParams } from "../backend.ts";
import type { JobId, NewJob } from "../job.ts";
import { formatJobId, parseWords } from "./ids.ts";
import type { JobFacts } from "./job-facts.ts";
import type { QueueState } from "./queue-state.ts";

/** The job was added. Of all that were it is the same object, so that `recall` keeps it once. */
export const ADDED: PutOutcome = Object.freeze({ status: "added" });
/** There was no room. */
export const FULL: PutOutcome = Object.freeze({ status: "full" });

const words = new Int32Array(4);

/** Decide about each job of a put, changing nothing. The queue has caught up. */
export function planPut(
  queue: QueueState,
  { jobs, maxSize, partial }: Pick<PutParams, "jobs" | "maxSize" | "partial">,
): PutOutcome[] {
  const newKeys = new Map<string, JobId>();
  let room = (maxSize ?? Infinity) - queue.jobs.size;
  let refused = false;
  const outcomes = jobs.map((job): PutOutcome => {
    const holder = holderOfKey(queue, job, newKeys);
    if (holder !== undefined) return { status: "duplicate", id: holder };
    if (room <= 0) {
      refused = true;
      return FULL;
    }
    room--;
    if (job.key !== null) newKeys.set(job.key, job.id);
    return ADDED;
  });
  return refused && !partial ? jobs.map(() => FULL) : outcomes;
}

/** The facts of a job that is put now: it gets the next position. The id goes into `into`. */
export function factsOf(queue: QueueState, job: NewJob, now: number, into: Int32Array = new Int32Array(4)): JobFacts {
  const dueAt = job.due === null ? now : "in" in job.due ? now + job.due.in : job.due.at;
  const delayed = dueAt > now;
  parseWords(job.id, into);
  return {
    words: into,
    createdAt: now,
    time: delayed ? dueAt : queue.fresh(now),
    sequence: ++queue.order >>> 0,
    priority: job.priority,
    urgent: job.urgent,
    maxAttempts: job.maxAttempts,
    expiresAt: job.ttl === null ? null : now + job.ttl,
    ownLease: job.lease,
    key: job.key,
    group: job.group,
    dueAt: delayed ? dueAt : null,
    keepResult: job.keepResult,
  };
}

/** Count what became of these jobs; with -1 take it back. */
export function countPut(
  queue: QueueState,
  jobs: readonly NewJob[],
  outcomes: readonly PutOutcome[],
  sign: 1 | -1 = 1,
): void {
  countOutcomes(queue, outcomes, sign);
  jobs.forEach(({ urgent }, index) => {
    if (urgent && outcomes[index]?.status === "added") queue.counters.urgent += sign;
  });
}

/** Count these outcomes, where the jobs are not known any more. Urgent jobs are not counted as such. */
export function countOutcomes(queue: QueueState, outcomes: readonly PutOutcome[], sign: 1 | -1 = 1): void {
  for (const { status } of outcomes) {
    if (status === "added") queue.counters.put += sign;
    if (status === "duplicate") queue.counters.duplicate += sign;
  }
}

function holderOfKey(queue: QueueState, job: NewJob, newKeys: ReadonlyMap<string, JobId>): JobId | undefined {
  const { jobs } = queue;
  parseWords(job.id, words);
  if (jobs.find(words) >= 0) return job.id;
  if (job.key === null) return undefined;
  const slot = jobs.keys.get(job.key);
  return slot === undefined ? newKeys.get(job.key) : formatJobId(jobs.table.id(slot, words));
}
