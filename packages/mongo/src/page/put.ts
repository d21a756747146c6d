/** The page of a new put, and its answer. */
import { Binary } from "mongodb";
import {
  type Counters,
  jobIdToBytes,
  type JobId,
  type NewJob,
  type PutOutcome,
  type PutParams,
} from "@pq/core/backend";
import { type PageDocument, pageId } from "../schema.ts";
import { type Bodies, sizeOf } from "./body.ts";
import { freshJob } from "./codec.ts";
import type { PageJob } from "./job.ts";
import { derived, type Page } from "./page.ts";

/** Nothing was counted yet. */
export const noCounters: Readonly<Counters> = Object.freeze({
  put: 0,
  urgent: 0,
  take: 0,
  ack: 0,
  release: 0,
  requeue: 0,
  fail: 0,
  bury: 0,
  kick: 0,
  dig: 0,
  delete: 0,
  touch: 0,
  expired: 0,
  leaseExpired: 0,
  duplicate: 0,
});

/** What the queue's head gave to a call. */
export interface Drawn {
  readonly n: number;
  /** ms since 1970 by the server's clock. */
  readonly at: number;
}

/** The page of a put whose jobs have these outcomes. */
export function newPage(
  { queue, request, jobs }: Pick<PutParams, "queue" | "request" | "jobs">,
  outcomes: readonly PutOutcome[],
  { n, at }: Drawn,
  { body, per }: Pick<Bodies, "body" | "per">,
): Page {
  const added = jobs.flatMap((job, index) =>
    outcomes[index]?.status === "added" ? [newPageJob(job, index, { n, at })] : [],
  );
  const page: Page = {
    id: pageId(queue, request),
    queue,
    n,
    at,
    version: 0,
    jobs: added,
    calls: new Map(),
    counters: {
      ...noCounters,
      put: added.length,
      urgent: added.filter(({ urgent }) => urgent).length,
      duplicate: outcomes.filter(({ status }) => status === "duplicate").length,
    },
    todo: new Set(added.flatMap(({ group, state }) => (group !== null && state === "ready" ? [group] : []))),
    closed: added.length === 0 ? at : null,
    pending: false,
    body,
    per,
    changed: false,
  };
  return page;
}

function newPageJob(job: NewJob, index: number, { n, at }: Drawn): PageJob {
  const due = dueAt(job, at);
  const fields: Partial<PageJob> = {
    priority: job.priority,
    key: job.key,
    group: job.group,
    ownLease: job.lease,
    keepResult: job.keepResult,
    expiresAt: job.ttl === null ? null : at + job.ttl,
    urgent: job.urgent,
    stamp: { ms: due, n, i: index },
    state: due > at ? "delayed" : "ready",
    until: due > at ? due : null,
  };
  return Object.assign(freshJob(job.id, index, sizeOf(job), job.maxAttempts), fields);
}

function dueAt({ due }: NewJob, now: number): number {
  if (due === null) return now;
  return Math.max(now, "in" in due ? now + due.in : due.at);
}

/** The document that stores it. `jobs`: all of the put. */
export function pageDocument(page: Page, jobs: readonly NewJob[], outcomes: readonly PutOutcome[]): PageDocument {
  const fields = Object.entries(derived(page)).filter(([, value]) => value !== undefined);
  return {
    _id: page.id,
    q: page.queue,
    n: page.n,
    at: new Date(page.at),
    v: page.version,
    names: [page.id, ...page.jobs.flatMap(namesOf), ...twinsOf(page, jobs, outcomes)],
    per: page.per,
    ...(page.body !== null && { body: new Binary(page.body) }),
    ...(outcomes.some(({ status }) => status !== "added") && { put: outcomes.map(outcomeText) }),
    ...(Object.fromEntries(fields) as ReturnType<typeof derived> as Pick<
      PageDocument,
      "s" | "free" | "in" | "c" | "k" | "takes"
    >),
  };
}

/** The names that no two pages may share: the id of a job, and its key. */
export function namesOf({ id, key }: { readonly id: JobId; readonly key: string | null }): (string | Binary)[] {
  const name = new Binary(jobIdToBytes(id));
  return key === null ? [name] : [name, `k${key}`];
}

/**
 * The ids of those that have the key of another job of this put. Each is a duplicate of that one, unless its own id is taken elsewhere, which is
 * found out by listing it. Whoever puts a job of that id later takes it out.
 */
function twinsOf(page: Page, jobs: readonly NewJob[], outcomes: readonly PutOutcome[]): Binary[] {
  const here = new Set(page.jobs.map(({ id }) => id));
  const twins = jobs.filter(({ id }, index) => {
    const outcome = outcomes[index]!;
    return outcome.status === "duplicate" && outcome.id !== id && here.has(outcome.id);
  });
  return twins.map(({ id }) => new Binary(jobIdToBytes(id)));
}

function outcomeText(outcome: PutOutcome): string {
  return outcome.status === "duplicate" ? outcome.id : outcome.status === "full" ? "full" : "";
}

/** What the put of this page was answered. */
export function outcomesOf(put: readonly string[] | undefined, jobs: number): PutOutcome[] {
  if (put === undefined) return Array.from({ length: jobs }, () => ({ status: "added" }));
  return put.map((text) => {
    if (text === "") return { status: "added" };
    return text === "full" ? { status: "full" } : { status: "duplicate", id: text as JobId };
  });
}
