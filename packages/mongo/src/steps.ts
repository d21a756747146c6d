/**
 * Calls that may concern every page of a queue, worked off in steps:
 *
 *     intent --> choose pages --> note the step --> change its pages --> count it --> over
 *                     ^                                                   |
 *                     +---------------------------------------------------+
 *
 * What is noted is a compare-and-set of the call's document in `controls`, and the pages remember which of their jobs it has changed. So a
 * repetition finishes the step that was broken off and goes on from there; one that runs beside the first counts nothing twice; and
 * one that comes after the end gives the same answer.
 */
import type { RequestId } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { rearm } from "./groups.ts";
import { readHead } from "./head.ts";
import type { PageJob } from "./page/job.ts";
import { confirm, remember } from "./page/life.ts";
import type { Page } from "./page/page.ts";
import type { QueueParts } from "./parts.ts";
import type { ControlDocument, ControlStep } from "./schema.ts";
import { upsert } from "./upsert.ts";

/** The call. */
export interface Work {
  readonly call: Call;
  readonly parts: QueueParts;
  readonly request: RequestId;
}

/** A job that a step may change. */
export interface Target {
  readonly page: Page;
  readonly job: PageJob;
  /** ms since 1970 by the server's clock. */
  readonly now: number;
}

/** What is done in steps. */
export interface Plan {
  /** The next one; `null`: there is nothing left to do. `n`: the head's number when the call began. `count`: jobs changed so far. */
  next(so: { readonly n: number; readonly count: number }): Promise<ControlStep | null>;
  /** Are there jobs like this one to be changed? */
  concerns(job: PageJob): boolean;
  /** Change these, on pages that were just read. */
  change(targets: readonly Target[]): Promise<void>;
}

type Progress = Partial<Pick<ControlDocument, "count" | "step" | "over">>;

/** Do all of it. Gives how many jobs were changed. */
export async function workOff(work: Work, newPlan: () => Plan): Promise<number> {
  let control = await begin(work);
  let plan = newPlan();
  while (!control.over) {
    const noted = await note(work, control, await progress(work, plan, control));
    // Another who makes the same call was quicker: what was chosen may be done already.
    if (noted === null) plan = newPlan();
    control = noted ?? (await begin(work));
  }
  return control.count;
}

/** Begin a step, or end the one that was begun. */
async function progress(work: Work, plan: Plan, { n, count, step }: ControlDocument): Promise<Progress> {
  if (step !== null) return { count: count + (await carryOut(work, plan, step)), step: null };
  const next = await plan.next({ n, count });
  return next === null ? { over: true } : { step: next };
}

/** The intent: a new one, or what this call has noted before. */
async function begin({ call, parts: { queue }, request }: Work): Promise<ControlDocument> {
  const head = await readHead(call, queue);
  const intent = { v: 0, n: head?.n ?? 0, count: 0, step: null, over: false };
  const control = await upsert(() =>
    call.write(({ controls }) =>
      controls.findOneAndUpdate(
        { _id: request, q: queue },
        { $setOnInsert: intent, $currentDate: { at: true } },
        { upsert: true, returnDocument: "after" },
      ),
    ),
  );
  return control!;
}

/** `null`: another has noted something meanwhile. */
async function note(work: Work, { v }: ControlDocument, progress: Progress): Promise<ControlDocument | null> {
  const { call, parts, request } = work;
  return call.write(({ controls }) =>
    controls.findOneAndUpdate(
      { _id: request, q: parts.queue, v },
      { $set: { ...progress, v: v + 1 } },
      { returnDocument: "after" },
    ),
  );
}

/** Change the jobs of a step that were not changed yet. Gives how many were, in all. */
async function carryOut({ call, parts, request }: Work, plan: Plan, step: ControlStep): Promise<number> {
  for (;;) {
    const seen = await parts.pages.read(call, { _id: { $in: step.map(({ page }) => page) } });
    const named = new Map(step.map(({ page, jobs }) => [page, jobs && new Set(jobs)]));
    const targets = seen.flatMap(({ page, now }): Target[] => {
      const jobs = named.get(page.id) ?? null;
      return page.jobs.filter(({ index }) => jobs?.has(index) ?? true).map((job) => ({ page, job, now }));
    });
    const isChanged = ({ page, job }: Target): boolean => page.calls.get(request)?.outcomes.has(job.index) ?? false;
    for (const target of targets) if (isChanged(target)) confirm(target.page);
    const left = targets.filter((target) => !isChanged(target) && plan.concerns(target.job));
    if (left.length > 0) await plan.change(left);
    for (const { page, job, now } of left) remember(page, { request, now }, job, "changed");
    const pages = seen.map(({ page }) => page);
    const changed = pages.filter((page) => page.changed);
    if (!(await parts.pages.writeAll(call, changed))) continue;
    const todo = pages.filter((page) => page.todo.size > 0);
    if (todo.length > 0) await rearm(call, parts, todo);
    return targets.filter(isChanged).length;
  }
}
