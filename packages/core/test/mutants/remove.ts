import type { ControlParams, ControlResult } from "../../src/backend.ts";
import type { JobId, JobState } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { forgetful, made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Does not remove jobs in this state. */
function spares(state: JobState): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override remove(entry: Entry, counter: "delete" | "expired"): void {
        if (entry.state !== state) super.remove(entry, counter);
      }
    },
  );
}

export const remove: readonly Mutant[] = [
  { rule: "remove.delete-in-any-state", bug: "does not delete leased jobs", queue: spares("leased") },
  { rule: "remove.delete-in-any-state", bug: "does not delete buried jobs", queue: spares("buried") },
  { rule: "remove.delete-in-any-state", bug: "does not delete kept results", queue: spares("done") },
  {
    rule: "remove.delete-tells",
    bug: "says done of a job that is not there",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number): ControlResult {
          const result = super.control(params, now);
          return { ...result, outcomes: result.outcomes.map(() => "done") };
        }
      },
    ),
  },
  { rule: "remove.truncate", bug: "leaves leased jobs at a truncate", queue: spares("leased") },
  { rule: "remove.truncate", bug: "leaves delayed jobs at a truncate", queue: spares("delayed") },
  {
    rule: "remove.truncate",
    bug: "counts only the ready jobs that it removes",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number) {
          const count = this.inState("ready").length;
          const result = super.control(params, now);
          return params.type === "truncate" ? { ...result, count } : result;
        }
      },
    ),
  },
  { rule: "remove.truncate-under-holders", bug: "leaves leased jobs at a truncate", queue: spares("leased") },
  { rule: "remove.delete-repeated", bug: "takes a repetition for a new call", wrap: forgetful("control") },
  {
    rule: "remove.id-that-moved-on",
    bug: "knows better where a job is that it has taken",
    wrap(backend) {
      const taken = new Map<JobId, number>();
      return override(backend, {
        async take(params) {
          const jobs = await backend.take(params);
          for (const { id, fence } of jobs) taken.set(id, fence);
          return jobs;
        },
        async settle(params) {
          const known = params.items.every(({ id, fence }) => (taken.get(id) ?? fence) === fence);
          return known ? backend.settle(params) : params.items.map(() => "lost");
        },
      });
    },
  },
  {
    rule: "remove.id-that-moved-on",
    bug: "does not find a job that has the id of one it has taken",
    wrap(backend) {
      const taken = new Map<JobId, number>();
      return override(backend, {
        async take(params) {
          const jobs = await backend.take(params);
          for (const { id, fence } of jobs) taken.set(id, fence);
          return jobs;
        },
        async control(params) {
          if (params.type !== "dig" && params.type !== "delete") return backend.control(params);
          const { jobs } = await backend.read({ queue: params.queue, ids: params.ids });
          const moved = jobs.some(({ id, fence }) => (taken.get(id) ?? fence) !== fence);
          return moved ? { count: 0, outcomes: params.ids.map(() => "not-found") } : backend.control(params);
        },
      });
    },
  },
  { rule: "remove.truncate-repeated", bug: "takes a repetition for a new call", wrap: forgetful("control") },
];
