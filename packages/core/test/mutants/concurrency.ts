import type { Backend, SettleOutcome, Settlement } from "../../src/backend.ts";
import { newRequestId } from "../../src/id.ts";
import type { DeliveredJob, LeaseProof } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, override, turn } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Gives all takes of a connection that are under way the same answer. */
function sharesTakes(backend: Backend): Backend {
  let underWay: Promise<readonly DeliveredJob[]> | undefined;
  return override(backend, {
    async take(params) {
      underWay ??= turn()
        .then(() => backend.take(params))
        .finally(() => (underWay = undefined));
      return (await underWay).slice(0, params.limit);
    },
  });
}

/** Loses puts that come while it takes. */
function losesPuts(backend: Backend): Backend {
  let taking = 0;
  return override(backend, {
    async take(params) {
      taking++;
      try {
        await turn();
        return await backend.take(params);
      } finally {
        taking--;
      }
    },
    async put(params) {
      await turn();
      return taking > 0 ? params.jobs.map(() => ({ status: "added" })) : backend.put(params);
    },
  });
}

export const concurrency: readonly Mutant[] = [
  {
    rule: "concurrency.claimers-share-the-jobs",
    bug: "gives consumers that take at once the same jobs",
    wrap: sharesTakes,
  },
  {
    rule: "concurrency.claimers-share-the-jobs",
    bug: "reads a delivered job again before its lease is written",
    queue: made(
      class extends ReferenceQueue {
        #calls = 0;

        protected override deliver(entry: Entry, now: number, lease: number): void {
          super.deliver(entry, now, lease);
          if (++this.#calls % 50 === 0) this.become(entry, "ready");
        }
      },
    ),
  },
  { rule: "concurrency.producers-and-consumers", bug: "loses puts that come while it takes", wrap: losesPuts },
  {
    rule: "concurrency.one-settlement-wins",
    bug: "looks at the fence, not at the state",
    queue: made(
      class extends ReferenceQueue {
        protected override holder({ id, fence }: LeaseProof): Entry | undefined {
          const entry = this.jobs.get(id);
          return entry?.fence === fence ? entry : undefined;
        }
      },
    ),
  },
  {
    rule: "concurrency.one-settlement-wins",
    bug: "checks the lease in one step and settles in another",
    wrap: (backend) =>
      override(backend, {
        async settle(params) {
          const ids = params.items.map(({ id }) => id);
          const { jobs } = await backend.read({ queue: params.queue, ids });
          await turn();
          const outcomes = await backend.settle(params);
          const was = (item: Settlement): boolean =>
            jobs.some(({ id, fence, state }) => id === item.id && fence === item.fence && state === "leased");
          const done: Record<Settlement["type"], SettleOutcome> = {
            ack: "gone",
            release: "ready",
            requeue: "ready",
            fail: "ready",
            bury: "buried",
          };
          return params.items.map((item, index) => (was(item) ? done[item.type] : (outcomes[index] ?? "lost")));
        },
      }),
  },
  {
    rule: "concurrency.one-touch-or-settle",
    bug: "a touch writes the job as it was read",
    wrap: (backend) =>
      override(backend, {
        async touch(params) {
          const ids = params.items.map(({ id }) => id);
          const [read] = (await backend.read({ queue: params.queue, ids })).jobs;
          await turn();
          const touched = await backend.touch(params);
          const { queue } = params;
          const plain = { urgent: false, due: null, ttl: null, lease: null, keepResult: null };
          if (read !== undefined) {
            await backend.put({
              request: newRequestId(),
              after: null,
              queue,
              jobs: [{ ...read, ...plain }],
              maxSize: null,
              partial: false,
              transaction: null,
            });
          }
          return touched;
        },
      }),
  },
  {
    rule: "concurrency.racing-kicks-and-digs",
    bug: "counts a dig of a job that another has revived",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          const result = await backend.control(params);
          return params.type === "dig" ? { count: params.ids.length, outcomes: params.ids.map(() => "done") } : result;
        },
      }),
  },
  {
    rule: "concurrency.racing-puts-of-one-key",
    bug: "looks for the key in one step and stores in the next",
    wrap: (backend) =>
      override(backend, {
        async put(params) {
          const { jobs } = await backend.read({ queue: params.queue, state: "ready", limit: 10, cursor: null });
          await turn();
          const [holder] = jobs;
          if (holder !== undefined) return params.jobs.map(() => ({ status: "duplicate", id: holder.id }));
          return backend.put({ ...params, jobs: params.jobs.map((one) => ({ ...one, key: null })) });
        },
      }),
  },
  {
    rule: "concurrency.touch-racing-expiry",
    bug: "extends a lease that was taken over",
    wrap: (backend) =>
      override(backend, {
        touch: async (params) => (await backend.touch(params)).map(() => true),
      }),
  },
  {
    rule: "concurrency.racing-deletes",
    bug: "says done for a delete of what is gone",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          const result = await backend.control(params);
          return params.type === "delete" ? { count: 1, outcomes: ["done"] } : result;
        },
      }),
  },
];
