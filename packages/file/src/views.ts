/** A job as it is at one moment, to be completed by what is read from the log later. */
import type { DeliveredJob, StoredJob } from "@pq/core/backend";
import { BURIED, DELAYED, DONE, formatJobId, LEASED, type QueueState, STATE_NAMES, URGENT } from "@pq/core/state";
import type { LoggedJob, LogPlace } from "./payload-reader.ts";

/** A job that lacks what only the log knows. */
export interface View<T> {
  readonly words: Int32Array;
  readonly place: LogPlace;
  complete(logged: LoggedJob): T;
}

function viewOf<T>({ jobs: { table } }: QueueState, slot: number, complete: (logged: LoggedJob) => T): View<T> {
  const place = { segment: table.piece(slot), offset: table.offset(slot), size: table.size(slot) };
  return { words: table.id(slot, new Int32Array(4)), place, complete };
}

/** What the consumer sees who has just leased it. */
export function deliveredView(queue: QueueState, slot: number): View<DeliveredJob> {
  const attempt = queue.jobs.table.attempt(slot);
  const { fence, lease, lastError, progress } = queue.jobs.extra(slot);
  return viewOf(queue, slot, ({ record, payload }) => {
    const { words, priority, key, group, maxAttempts, createdAt } = record.facts;
    const id = formatJobId(words);
    return {
      id,
      fence,
      payload,
      headers: record.headers,
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
  });
}

/** What an operator sees. */
export function storedView(queue: QueueState, slot: number): View<StoredJob> {
  const { table } = queue.jobs;
  const state = table.state(slot);
  const urgent = table.has(slot, URGENT);
  const attempt = table.attempt(slot);
  const extra = queue.jobs.extraIfAny(slot);
  const { fence = 0, moment = 0, lastError = null, progress = null, buryReason = null, result = null } = extra ?? {};
  return viewOf(queue, slot, ({ record, payload }) => ({
    id: formatJobId(record.facts.words),
    state: STATE_NAMES[state] ?? "ready",
    payload,
    headers: record.headers,
    priority: record.facts.priority,
    urgent,
    key: record.facts.key,
    group: record.facts.group,
    attempt,
    maxAttempts: record.facts.maxAttempts,
    fence,
    createdAt: record.facts.createdAt,
    dueAt: state === DELAYED ? moment : null,
    expiresAt: record.facts.expiresAt,
    leaseUntil: state === LEASED ? moment : null,
    buryReason: state === BURIED ? buryReason : null,
    lastError,
    progress,
    result: state === DONE ? result : null,
  }));
}
