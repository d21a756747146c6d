/** Calls that change certain jobs, each by itself: settle, touch, dig and delete. */
import type {
  ControlParams,
  ControlResult,
  JobId,
  RequestId,
  SettleOutcome,
  SettleParams,
  TouchParams,
} from "@pq/core/backend";
import type { Outcome } from "./page/codec.ts";
import type { PageJob } from "./page/job.ts";
import { confirm, drawsStamp, holder, type Means, remember, remove, revive, settle, touch } from "./page/life.ts";
import { findJob, type Page } from "./page/page.ts";

/** Such a call. It may be decided several times, on pages read anew: what it did to a page, the page remembers. */
export interface Change<Answer> {
  readonly request: RequestId;
  readonly ids: readonly JobId[];
  /** What it does to the job `ids[index]`, which is or was on this page; `undefined`: nothing. */
  apply(page: Page, index: number, means: Means): Outcome | undefined;
  /** Is the job meant that is on this page, whatever other pages know of its id? */
  isMeant(page: Page, index: number): boolean;
  /** Does it need nothing but that the lease of this job still runs? */
  isPlainAck(page: Page, index: number): boolean;
  /** Will it draw a stamp? */
  drawsStamp(page: Page, index: number): boolean;
  answer(outcomes: readonly (Outcome | undefined)[], found: readonly boolean[]): Answer;
}

/** Settle. */
export function settleChange({ request, items }: SettleParams): Change<readonly SettleOutcome[]> {
  return {
    request,
    ids: items.map(({ id }) => id),
    apply(page, index, means) {
      const job = holder(page, items[index]!);
      return job && settle(page, job, items[index]!, means);
    },
    isMeant: (page, index) => holder(page, items[index]!) !== undefined,
    isPlainAck(page, index) {
      const item = items[index]!;
      return item.type === "ack" && holder(page, item)?.keepResult === null;
    },
    drawsStamp(page, index) {
      const job = holder(page, items[index]!);
      return job !== undefined && drawsStamp(job, items[index]!);
    },
    answer: (outcomes) => outcomes.map((outcome) => (outcome ?? "lost") as SettleOutcome),
  };
}

/** Touch. */
export function touchChange({ request, items }: TouchParams): Change<readonly boolean[]> {
  return {
    request,
    ids: items.map(({ id }) => id),
    apply(page, index, means) {
      const job = holder(page, items[index]!);
      if (job === undefined) return undefined;
      touch(page, job, items[index]!, means);
      return "touched";
    },
    isMeant: (page, index) => holder(page, items[index]!) !== undefined,
    isPlainAck: () => false,
    drawsStamp: () => false,
    answer: (outcomes) => outcomes.map((outcome) => outcome !== undefined),
  };
}

/** Dig and delete. */
export function operatorChange(
  params: Extract<ControlParams, { readonly type: "dig" | "delete" }>,
): Change<ControlResult> {
  const { request, type, ids } = params;
  const allowed = ({ state }: PageJob): boolean => state !== "gone" && (type === "delete" || state === "buried");
  const find = (page: Page, index: number): PageJob | undefined => {
    const job = findJob(page, ids[index]!);
    return job !== undefined && allowed(job) ? job : undefined;
  };
  return {
    request,
    ids,
    apply(page, index, means) {
      const job = find(page, index);
      if (job === undefined) return undefined;
      if (type === "dig") revive(page, job, "dig", means);
      else remove(page, job, "delete", means.now);
      return "changed";
    },
    isMeant: () => false,
    isPlainAck: () => false,
    drawsStamp: (page, index) => type === "dig" && find(page, index) !== undefined,
    answer(outcomes, found) {
      const each = outcomes.map((outcome, index) => {
        if (outcome !== undefined) return "done";
        return found[index] === true ? "invalid-state" : "not-found";
      });
      return { count: each.filter((outcome) => outcome === "done").length, outcomes: each };
    },
  };
}

/**
 * Decide about one job, or tell what was decided before. `pages`: those that know its id. Of an id that was put again, one of them knows a
 * job that is gone.
 */
export function applyOnce(
  change: Change<unknown>,
  index: number,
  pages: readonly Page[],
  means: Means,
): Outcome | undefined {
  const id = change.ids[index]!;
  for (const page of pages) {
    const before = page.calls.get(change.request)?.outcomes.get(findJob(page, id)!.index);
    if (before === undefined) continue;
    confirm(page);
    return before;
  }
  const page = pages.find((each) => findJob(each, id)!.state !== "gone");
  if (page === undefined) return undefined;
  const job = findJob(page, id)!;
  const outcome = change.apply(page, index, means);
  if (outcome !== undefined) remember(page, { request: change.request, now: means.now }, job, outcome);
  return outcome;
}
