/** A job as consumers and operators see it. */
import type { DeliveredJob, StoredJob } from "@pq/core/backend";
import type { Contents, Located } from "./bodies.ts";
import { fenceOf } from "./page/page.ts";

/** What a consumer sees of a leased job. */
export function delivered({ page, job }: Located, { payload, headers, lastError, progress }: Contents): DeliveredJob {
  const { id, priority, key, group, attempt, maxAttempts, lease } = job;
  const fence = fenceOf(page, job);
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
    createdAt: page.at,
    lastError,
    progress,
  };
}

/** What an operator sees. The job is neither gone nor damaged. */
export function stored({ page, job }: Located, contents: Contents): StoredJob {
  const { id, priority, urgent, key, group, attempt, maxAttempts, expiresAt, until, buryReason } = job;
  const state = job.state as StoredJob["state"];
  return {
    id,
    state,
    payload: contents.payload,
    headers: contents.headers,
    priority,
    urgent,
    key,
    group,
    attempt,
    maxAttempts,
    fence: fenceOf(page, job),
    createdAt: page.at,
    dueAt: state === "delayed" ? until : null,
    expiresAt,
    leaseUntil: state === "leased" ? until : null,
    buryReason,
    lastError: contents.lastError,
    progress: contents.progress,
    result: contents.result,
  };
}
