import type { BuryReason, DeliveredJob, JobId, JobState, NewJob, RequestId, StoredJob } from "../../job.ts";

/** A job inside the reference store. */
export interface Entry {
  readonly id: JobId;
  readonly payload: Uint8Array;
  readonly headers: string;
  readonly priority: number;
  readonly key: string | null;
  readonly group: string | null;
  readonly maxAttempts: number;
  readonly ownLease: number | null;
  readonly keepResult: number | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** Counts up with each change of state: the order in which jobs came to where they are. */
  since: number;
  state: JobState;
  urgent: boolean;
  /** Returned jobs come before fresh ones of their priority. */
  returned: boolean;
  /** `null` until the job is ready for the first time. */
  position: number | null;
  attempt: number;
  fence: number;
  dueAt: number | null;
  lease: number;
  leaseUntil: number | null;
  leasedBy: RequestId | null;
  buryReason: BuryReason | null;
  lastError: string | null;
  progress: Uint8Array | null;
  result: Uint8Array | null;
  /** When a kept result ends. */
  doneUntil: number | null;
}

/** Bytes of their own. Not `slice()`, which gives a view of the same bytes when it is a `Buffer`. */
export function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** The entry of a job put at `now`, not in any place yet. Bytes are copied: the caller keeps its own. */
export function newEntry(job: NewJob, now: number): Entry {
  return {
    id: job.id,
    payload: copy(job.payload),
    headers: job.headers,
    priority: job.priority,
    key: job.key,
    group: job.group,
    maxAttempts: job.maxAttempts,
    ownLease: job.lease,
    keepResult: job.keepResult,
    createdAt: now,
    expiresAt: job.ttl === null ? null : now + job.ttl,
    since: 0,
    state: "ready",
    urgent: job.urgent,
    returned: false,
    position: null,
    attempt: 0,
    fence: 0,
    dueAt: null,
    lease: 0,
    leaseUntil: null,
    leasedBy: null,
    buryReason: null,
    lastError: null,
    progress: null,
    result: null,
    doneUntil: null,
  };
}

/** What a consumer sees of it. */
export function delivered(entry: Entry): DeliveredJob {
  const { id, fence, headers, priority, key, group, attempt, maxAttempts, lease, createdAt, lastError } = entry;
  const payload = copy(entry.payload);
  const progress = entry.progress && copy(entry.progress);
  return {
    id,
    fence,
    payload,
    headers,
    priority,
    key,
    group,
    attempt,
    maxAttempts,
    lease,
    createdAt,
    lastError,
    progress,
  };
}

/** What an operator sees of it. */
export function stored(entry: Entry): StoredJob {
  return {
    id: entry.id,
    state: entry.state,
    payload: copy(entry.payload),
    headers: entry.headers,
    priority: entry.priority,
    urgent: entry.urgent,
    key: entry.key,
    group: entry.group,
    attempt: entry.attempt,
    maxAttempts: entry.maxAttempts,
    fence: entry.fence,
    createdAt: entry.createdAt,
    dueAt: entry.dueAt,
    expiresAt: entry.expiresAt,
    leaseUntil: entry.leaseUntil,
    buryReason: entry.buryReason,
    lastError: entry.lastError,
    progress: entry.progress && copy(entry.progress),
    result: entry.result && copy(entry.result),
  };
}
