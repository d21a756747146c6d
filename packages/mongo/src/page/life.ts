/** The transitions of jobs, as `docs/backends.md` of @pq/core has them, on one page in memory. Nothing here reads or writes the store. */
import type { BuryReason, RequestId, SettleOutcome, Settlement, Touch } from "@pq/core/backend";
import type { Outcome } from "./codec.ts";
import type { Attachment, PageJob, RecordState } from "./job.ts";
import { findJob, fenceOf, type Page, REMEMBERED } from "./page.ts";
import type { Stamp } from "./place.ts";

/** What a step on pages needs from outside. */
export interface Means {
  /** The time of the server, ms since 1970. */
  readonly now: number;
  /** A stamp after all that were given out before. */
  stamp(): Stamp;
  /** Keep these bytes beside the page. */
  attach(page: Page, bytes: Uint8Array): Attachment;
}

/** Do everything that was due by `now`. */
export function catchUp(page: Page, now: number): void {
  for (const job of page.jobs) {
    if (job.state === "leased" && isOver(job.until, now)) expireLease(page, job);
    if (job.state === "delayed" && isOver(job.until, now)) become(page, job, "ready");
    if ((job.state === "ready" || job.state === "delayed") && isOver(job.expiresAt, now)) {
      remove(page, job, "expired", now);
    }
    if (job.state === "done" && isOver(job.until, now)) become(page, job, "gone");
  }
  close(page, now);
}

function isOver(moment: number | null, now: number): boolean {
  return moment !== null && moment <= now;
}

function expireLease(page: Page, job: PageJob): void {
  // Jobs of one take are buried in its order, from whatever pages they are.
  const over = { ms: job.until ?? 0, n: 0, i: job.turn };
  page.counters.leaseExpired++;
  if (job.attempt >= job.maxAttempts) bury(page, job, "lease-expired", over);
  else giveBack(page, job, null);
}

/** A page whose last job went only remembers its calls from now on. */
function close(page: Page, now: number): void {
  if (page.closed !== null || !page.jobs.every(({ state }) => state === "gone")) return;
  page.closed = now;
  page.changed = true;
}

/** Give a job out. */
export function deliver(
  page: Page,
  job: PageJob,
  take: { readonly request: RequestId; readonly lease: number; readonly turn: number; readonly now: number },
): void {
  const { armed } = job;
  become(page, job, "leased");
  job.armed = armed;
  job.attempt++;
  job.deliveries++;
  job.lease = job.ownLease ?? take.lease;
  job.until = take.now + job.lease;
  job.takenBy = take.request;
  job.turn = take.turn;
  page.counters.take++;
}

/** The job whose newest lease this is and still runs, on a page that has caught up. */
export function holder(
  page: Page,
  { id, fence }: { readonly id: PageJob["id"]; readonly fence: number },
): PageJob | undefined {
  const job = findJob(page, id);
  return job?.state === "leased" && fenceOf(page, job) === fence ? job : undefined;
}

/** Settle a leased job. */
export function settle(page: Page, job: PageJob, item: Settlement, means: Means): RecordState & SettleOutcome {
  switch (item.type) {
    case "ack":
      page.counters.ack++;
      return ack(page, job, item.result, means);
    case "release":
      page.counters.release++;
      job.attempt--;
      return giveBack(page, job, item.delay > 0 ? means.now + item.delay : null);
    case "requeue":
      page.counters.requeue++;
      job.attempt--;
      return toTheEnd(page, job, means);
    case "fail":
      page.counters.fail++;
      job.lastError = means.attach(page, Buffer.from(item.error));
      if (job.attempt >= job.maxAttempts) return bury(page, job, "failed", means.stamp());
      return giveBack(page, job, item.delay > 0 ? means.now + item.delay : null);
    case "bury":
      if (item.error !== null) job.lastError = means.attach(page, Buffer.from(item.error));
      return bury(page, job, "buried", means.stamp());
  }
}

function ack(page: Page, job: PageJob, result: Uint8Array | null, means: Means): "gone" | "done" {
  if (job.keepResult === null) {
    become(page, job, "gone");
    close(page, means.now);
    return "gone";
  }
  become(page, job, "done");
  job.until = means.now + job.keepResult;
  job.since = means.stamp();
  job.result = result && means.attach(page, result);
  return "done";
}

/** Will this settlement draw a stamp? */
export function drawsStamp(job: PageJob, { type }: Settlement): boolean {
  if (type === "ack") return job.keepResult !== null;
  return type === "requeue" || type === "bury" || (type === "fail" && job.attempt >= job.maxAttempts);
}

/** Extend the lease of a leased job. */
export function touch(page: Page, job: PageJob, { lease, progress }: Touch, means: Means): void {
  job.until = Math.max(job.until ?? 0, means.now + lease);
  if (progress !== null) job.progress = means.attach(page, progress);
  page.counters.touch++;
  page.changed = true;
}

/** From buried to ready, with fresh attempts. */
export function revive(page: Page, job: PageJob, counter: "kick" | "dig", means: Pick<Means, "stamp">): void {
  page.counters[counter]++;
  job.attempt = 0;
  job.buryReason = null;
  toTheEnd(page, job, means);
}

/** The job is gone, from whatever state. */
export function remove(page: Page, job: PageJob, counter: "delete" | "expired", now: number): void {
  page.counters[counter]++;
  become(page, job, "gone");
  close(page, now);
}

/** Its payload cannot be read: nobody gets it. */
export function setAside(page: Page, job: PageJob): void {
  become(page, job, "damaged");
}

/** It is, or is not, the turn of this job in its group. */
export function arm(page: Page, job: PageJob, armed: boolean): void {
  job.armed = armed;
  page.changed = true;
}

/**
 * What is answered from what a page remembers must be as safe as it was to be at first, and what was read may still be on one machine
 * alone: so the page is written once more.
 */
export function confirm(page: Page): void {
  page.changed = true;
}

/** Keep what a call did to a job, and forget what is long ago. */
export function remember(
  page: Page,
  { request, now }: { readonly request: RequestId; readonly now: number },
  job: PageJob,
  outcome: Outcome,
): void {
  for (const [old, { ms }] of page.calls) {
    if (ms + REMEMBERED.ms > now && page.calls.size <= REMEMBERED.calls) break;
    page.calls.delete(old);
  }
  let memory = page.calls.get(request);
  if (memory === undefined) page.calls.set(request, (memory = { ms: now, outcomes: new Map() }));
  memory.outcomes.set(job.index, outcome);
  page.changed = true;
}

function giveBack(page: Page, job: PageJob, dueAt: number | null): "ready" | "delayed" {
  const state = dueAt === null ? "ready" : "delayed";
  job.returned = true;
  become(page, job, state);
  job.until = dueAt;
  return state;
}

function toTheEnd(page: Page, job: PageJob, means: Pick<Means, "stamp">): "ready" {
  job.urgent = false;
  job.returned = false;
  job.stamp = means.stamp();
  become(page, job, "ready");
  return "ready";
}

function bury(page: Page, job: PageJob, reason: BuryReason, since: Stamp): "buried" {
  page.counters.bury++;
  become(page, job, "buried");
  job.buryReason = reason;
  job.since = since;
  return "buried";
}

/** Change the state and drop what belongs to the old one. Whose turn it is in its group is to be found out anew. */
function become(page: Page, job: PageJob, state: RecordState): void {
  job.state = state;
  job.until = null;
  job.since = null;
  job.takenBy = null;
  job.lease = 0;
  job.turn = 0;
  job.armed = false;
  if (job.group !== null && state !== "leased") page.todo.add(job.group);
  page.changed = true;
}
