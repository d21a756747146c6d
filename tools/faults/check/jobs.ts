/** What must be true of each job by itself. */
import type { Present } from "../event.ts";
import type { Delivery, History, JobHistory, Settlement } from "./history.ts";
import type { Violation } from "./violation.ts";

/** How far the store's clock and ours may be apart over one job, in ms. */
export const SLACK = 5;

/** Everything that is in the store at the end, by id. */
export type Rest = ReadonlyMap<string, Present>;

/** What is in the store at the end. */
export function restOf({ conductor }: History): Rest {
  return new Map(conductor.flatMap((event) => (event.type === "present" ? [[event.id, event]] : [])));
}

/** Accepted, and now neither there nor finished. */
export function lost({ jobs }: History, rest: Rest): Violation[] {
  const isLost = ({ id, put, settlements }: JobHistory): boolean =>
    put?.outcome === "added" && !rest.has(id) && !settlements.some(mayHaveFinished);
  return [...jobs.values()].filter(isLost).map(({ id, deliveries }) => ({
    rule: "lost",
    text: `${id} was accepted, delivered ${deliveries.length} times, never acked, and is gone`,
  }));
}

function mayHaveFinished({ begin, outcome }: Settlement): boolean {
  return begin.how === "ack" && (outcome === "ok" || outcome === "unknown");
}

/** There although nobody put it, or again although it was acked. */
export function doubled({ jobs }: History, rest: Rest): Violation[] {
  const found: Violation[] = [];
  for (const id of rest.keys()) {
    if (!jobs.has(id)) found.push({ rule: "doubled", text: `${id} is there, and nobody put it` });
  }
  for (const { id, put, deliveries, settlements } of jobs.values()) {
    if (put === undefined) found.push({ rule: "doubled", text: `${id} was delivered, and nobody put it` });
    const came = deliveries.length > 0 || rest.has(id);
    if (put?.outcome === "duplicate" && came) {
      found.push({ rule: "doubled", text: `${id} was told to be a duplicate, and is there` });
    }
    const ack = settlements.find(({ begin, outcome }) => begin.how === "ack" && outcome === "ok");
    if (ack === undefined) continue;
    const after = deliveries.find(({ fence }) => fence > ack.begin.fence);
    if (after !== undefined) {
      found.push({
        rule: "doubled",
        text: `${id} was acked with fence ${ack.begin.fence} at ${ack.end?.at}, and came again: ${show(after)}`,
      });
    } else if (rest.has(id)) found.push({ rule: "doubled", text: `${id} was acked, and is ${rest.get(id)!.state}` });
  }
  return found;
}

/** Told as not applied, and applied. */
export function refused({ jobs }: History, rest: Rest): Violation[] {
  const broken = [...jobs.values()].filter(
    ({ id, put, deliveries }) => put?.outcome === "refused" && (deliveries.length > 0 || rest.has(id)),
  );
  return broken.map(({ id, put }) => ({
    rule: "refused",
    text: `${id} is there, although its put failed with ${put?.call.end?.code}`,
  }));
}

/** Of one call's jobs, some came and some did not. That a job came is known for all that were stored: it was delivered, or is still there. */
export function torn({ calls, jobs }: History, rest: Rest): Violation[] {
  const found: Violation[] = [];
  for (const { begin, end } of calls) {
    // What was accepted is the business of another rule.
    if (begin.type !== "put" || begin.jobs.length === 1 || end?.outcome === "ok") continue;
    const missing = begin.jobs.filter(({ id }) => !rest.has(id) && (jobs.get(id)?.deliveries.length ?? 0) === 0);
    if (missing.length === 0 || missing.length === begin.jobs.length) continue;
    found.push({
      rule: "torn",
      text: `of ${begin.jobs.length} jobs put in one call, ${missing.length} never came, such as ${missing[0]!.id}`,
    });
  }
  return found;
}

/** A payload that is not the one that was put. */
export function damaged({ jobs }: History): Violation[] {
  const bad = [...jobs.values()].flatMap(({ deliveries }) => deliveries.filter(({ sound }) => !sound));
  return bad.map((delivery) => ({
    rule: "damaged",
    text: `the payload is not the one that was put: ${show(delivery)}`,
  }));
}

/** Somebody got the job while another surely had its lease. */
export function secondHolder({ jobs }: History): Violation[] {
  const found: Violation[] = [];
  for (const { deliveries } of jobs.values()) {
    for (const [index, first] of deliveries.entries()) {
      const second = deliveries
        .slice(index + 1)
        .find(({ at, fence }) => fence > first.fence && at < first.heldUntil - SLACK);
      if (second === undefined) continue;
      found.push({
        rule: "second holder",
        text: `${show(second)}, while until ${first.heldUntil} its lease was that of ${show(first)}`,
      });
    }
  }
  return found;
}

/** Two deliveries of one fence, or a later one of a lower. */
export function fences({ jobs }: History): Violation[] {
  const found: Violation[] = [];
  for (const { deliveries, settlements } of jobs.values()) {
    for (const [index, delivery] of deliveries.entries()) {
      const before = deliveries[index - 1];
      if (before?.fence === delivery.fence) {
        found.push({ rule: "fence", text: `one fence, two deliveries: ${show(before)}; ${show(delivery)}` });
      }
      const over = settlements.find(
        ({ begin, outcome, end }) =>
          outcome === "ok" &&
          begin.fence > delivery.fence &&
          delivery.sure &&
          end !== undefined &&
          end.at < delivery.at,
      );
      if (over === undefined) continue;
      found.push({ rule: "fence", text: `${show(delivery)} came when fence ${over.begin.fence} had been settled` });
    }
  }
  return found;
}

/** Attempts that do not count the deliveries, or go beyond the end. */
export function attempts({ jobs }: History, rest: Rest): Violation[] {
  const texts = [
    ...[...jobs.values()].flatMap(countsOf),
    ...[...rest.values()].flatMap((job) => burialOf(job, jobs.get(job.id))),
  ];
  return texts.map((text) => ({ rule: "attempt", text }));
}

function countsOf({ put, deliveries }: JobHistory): string[] {
  return deliveries.flatMap((delivery, index): string[] => {
    const most = put?.job.maxAttempts ?? delivery.maxAttempts;
    if (delivery.maxAttempts !== most) return [`maxAttempts was put as ${most}: ${show(delivery)}`];
    if (delivery.attempt < 1 || delivery.attempt > most) return [`there are ${most} attempts: ${show(delivery)}`];
    const before = deliveries[index - 1];
    if (before === undefined || before.fence === delivery.fence) return [];
    const least = before.attempt + (wasGivenBack(before) ? 0 : 1);
    return delivery.attempt < least
      ? [`attempt ${least} or more is due: ${show(delivery)}, after ${show(before)}`]
      : [];
  });
}

function burialOf(job: Present, history: JobHistory | undefined): string[] {
  const { id, state, buryReason, attempt, maxAttempts } = job;
  if (state !== "buried") return [];
  if (buryReason === "buried") {
    const wanted = history?.settlements.some(({ begin }) => begin.how === "bury") ?? false;
    return wanted ? [] : [`${id} is buried, and nobody did it`];
  }
  return attempt === maxAttempts
    ? []
    : [`${id} is buried as ${buryReason} after ${attempt} of ${maxAttempts} attempts`];
}

function wasGivenBack({ settlement }: Delivery): boolean {
  const how = settlement?.begin.how;
  return (
    (how === "release" || how === "requeue") && (settlement?.outcome === "ok" || settlement?.outcome === "unknown")
  );
}

/** Before its time: after a put with a delay, a failure or a release with one. */
export function early({ jobs }: History): Violation[] {
  const found: Violation[] = [];
  for (const { put, deliveries, settlements } of jobs.values()) {
    const due = put === undefined ? 0 : put.call.begin.at + (put.job.delay ?? 0);
    for (const delivery of deliveries) {
      if (delivery.at < due - SLACK) found.push({ rule: "early", text: `due at ${due}: ${show(delivery)}` });
      const back = settlements.find(
        ({ begin, outcome }) =>
          outcome === "ok" &&
          begin.delay > 0 &&
          begin.fence < delivery.fence &&
          delivery.at < begin.at + begin.delay - SLACK,
      );
      if (back !== undefined) {
        found.push({
          rule: "early",
          text: `given back at ${back.begin.at} for ${back.begin.delay} ms: ${show(delivery)}`,
        });
      }
    }
  }
  return found;
}

/** A delivery, for people. */
export function show({ id, fence, attempt, process, at }: Delivery): string {
  return `${id} (fence ${fence}, attempt ${attempt}) came to ${process} at ${at}`;
}
