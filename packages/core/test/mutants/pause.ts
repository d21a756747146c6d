import type { ControlParams, SettleOutcome, Settlement } from "../../src/backend.ts";
import { deliverable } from "../../src/testing/reference/order.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

export const pause: readonly Mutant[] = [
  {
    rule: "pause.gives-nothing-takes-all",
    bug: "gives jobs out while paused",
    queue: made(
      class extends ReferenceQueue {
        override deliverable() {
          return deliverable(this.jobs.values());
        }
      },
    ),
  },
  {
    rule: "pause.gives-nothing-takes-all",
    bug: "counts pauses, and wants as many resumes",
    queue: made(
      class extends ReferenceQueue {
        #pauses = 0;

        override control(params: ControlParams, now: number) {
          const result = super.control(params, now);
          if (params.type === "pause") this.#pauses++;
          if (params.type === "resume") this.paused = --this.#pauses > 0;
          return result;
        }
      },
    ),
  },
  {
    rule: "pause.settlements-go-on",
    bug: "settles nothing while paused",
    queue: made(
      class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number): SettleOutcome[] {
          return this.paused ? items.map(() => "lost") : super.settle(items, now);
        }
      },
    ),
  },
  {
    rule: "pause.for-all-connections",
    bug: "remembers the pause in the connection",
    wrap(backend) {
      const paused = new Set<string>();
      return override(backend, {
        async control(params) {
          if (params.type === "pause") paused.add(params.queue);
          else if (params.type === "resume") paused.delete(params.queue);
          else return backend.control(params);
          return { count: 0, outcomes: [] };
        },
        take: (params) => (paused.has(params.queue) ? Promise.resolve([]) : backend.take(params)),
      });
    },
  },
  {
    rule: "pause.for-all-connections",
    bug: "pauses all queues at once",
    wrap: (backend) =>
      override(backend, {
        async take(params) {
          const all = await Promise.all((await backend.queues()).map((queue) => backend.stats(queue)));
          return all.some(({ paused }) => paused) ? [] : backend.take(params);
        },
      }),
  },
  {
    rule: "pause.kept-by-restart",
    bug: "forgets the pause in a restart",
    queue: made(
      class extends ReferenceQueue {
        override restarted(): void {
          this.paused = false;
        }
      },
    ),
  },
  {
    rule: "pause.time-goes-on",
    bug: "stands still while paused",
    queue: made(
      class extends ReferenceQueue {
        override catchUp(now: number): void {
          if (!this.paused) super.catchUp(now);
        }
      },
    ),
  },
  {
    rule: "pause.before-the-first-put",
    bug: "pauses only queues that had a job",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          const known = (await backend.queues()).includes(params.queue);
          return params.type !== "pause" || known ? backend.control(params) : { count: 0, outcomes: [] };
        },
      }),
  },
  {
    rule: "pause.resume-wakes",
    bug: "does not wake anybody when it is resumed",
    wrap: (backend) =>
      override(backend, {
        async wait(params) {
          const { paused } = await backend.stats(params.queue);
          return backend.wait(paused ? { ...params, queue: "nobody puts here" } : params);
        },
      }),
  },
  {
    rule: "pause.waiting-does-not-spin",
    bug: "ends a wait at once when jobs are ready, paused or not",
    wrap: (backend) =>
      override(backend, {
        async wait(params) {
          if ((await backend.stats(params.queue)).ready === 0) await backend.wait(params);
        },
      }),
  },
];
