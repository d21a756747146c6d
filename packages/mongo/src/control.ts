/** What operators do to a queue as a whole. `changes.ts` has what they do to certain jobs. */
import { type ControlParams, type ControlResult, JOB_STATES } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { draw, stampsOf } from "./head.ts";
import { compareKeys, First, type Key, keyOf } from "./listing.ts";
import { remove, revive } from "./page/life.ts";
import type { QueueParts } from "./parts.ts";
import { pagesWith } from "./read.ts";
import type { ControlStep } from "./schema.ts";
import { type Plan, type Target, type Work, workOff } from "./steps.ts";

/** Buried jobs that are looked up at a time. */
const MOST_CHOSEN = 10_000;
/** Jobs of one step of a kick: fewer than there are indexes in a stamp. */
const KICKED = 1000;
/** Pages of one step of a truncate. */
const TRUNCATED = 100;

type ParamsOf<Type extends ControlParams["type"]> = Extract<ControlParams, { readonly type: Type }>;

/** Make the `limit` longest buried jobs ready, in the order in which they were buried. */
export async function kick(call: Call, parts: QueueParts, params: ParamsOf<"kick">): Promise<ControlResult> {
  const work = { call, parts, request: params.request };
  return { count: await workOff(work, () => kicking(work, params.limit)), outcomes: [] };
}

/** Remove all jobs but those that are put after this began. */
export async function truncate(call: Call, parts: QueueParts, params: ParamsOf<"truncate">): Promise<ControlResult> {
  const work = { call, parts, request: params.request };
  return { count: await workOff(work, () => truncating(work)), outcomes: [] };
}

function truncating({ call, parts }: Work): Plan {
  return {
    async next({ n }) {
      const filter = { q: parts.queue, in: { $in: [...JOB_STATES] }, n: { $lte: n } };
      const found = await call.read(({ pages }) =>
        pages.find(filter, { projection: { _id: 1 }, limit: TRUNCATED }).toArray(),
      );
      return found.length === 0 ? null : found.map(({ _id }) => ({ page: _id, jobs: null }));
    },
    concerns: ({ state }) => state !== "gone",
    async change(targets) {
      for (const { page, job, now } of targets) remove(page, job, "delete", now);
    },
  };
}

function kicking(work: Work, limit: number): Plan {
  let chosen: readonly Buried[] = [];
  let isLast = false;
  return {
    async next({ count }) {
      const left = limit - count;
      if (chosen.length === 0 && !isLast && left > 0) {
        const most = Math.min(left, MOST_CHOSEN);
        chosen = await longestBuried(work, most);
        isLast = chosen.length < most;
      }
      const some = chosen.slice(0, Math.min(left, KICKED));
      chosen = chosen.slice(some.length);
      return some.length === 0 ? null : byPage(some);
    },
    concerns: ({ state }) => state === "buried",
    change: (targets) => reviveInOrder(work, targets),
  };
}

/** A buried job. */
interface Buried {
  readonly key: Key;
  readonly page: string;
  readonly index: number;
}

/** Without those that this call made ready, should they be buried again. */
async function longestBuried({ call, parts, request }: Work, limit: number): Promise<readonly Buried[]> {
  const first = new First<Buried>(limit, null);
  for await (const { id, jobs, calls } of pagesWith(call, parts, "buried")) {
    const kicked = calls.get(request)?.outcomes;
    for (const job of jobs) {
      if (job.state !== "buried" || kicked?.has(job.index) === true) continue;
      const key = keyOf("buried", job);
      if (first.takes(key)) first.add({ key, page: id, index: job.index });
    }
  }
  return first.done();
}

/** The stamps are drawn after the pages were read, so each job gets a later one than any that its page has seen. */
async function reviveInOrder({ call, parts }: Work, targets: readonly Target[]): Promise<void> {
  const stamp = stampsOf(await draw(call, parts.queue, parts.time));
  const keyed = targets.map((target) => ({ ...target, key: keyOf("buried", target.job) }));
  for (const { page, job } of keyed.sort((a, b) => compareKeys(a.key, b.key))) revive(page, job, "kick", { stamp });
}

function byPage(jobs: readonly Buried[]): ControlStep {
  const pages = new Map<string, number[]>();
  for (const { page, index } of jobs) {
    const indexes = pages.get(page);
    if (indexes === undefined) pages.set(page, [index]);
    else indexes.push(index);
  }
  return [...pages].map(([page, jobs]) => ({ page, jobs }));
}
