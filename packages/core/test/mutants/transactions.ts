import type { Backend, PutParams } from "../../src/backend.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { isPqError } from "../../src/errors.ts";
import { newJobId } from "../../src/id.ts";
import type { JobId } from "../../src/job.ts";
import { made, override, type PutInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** A connection with the puts in transactions changed. */
function within(put: (backend: Backend, params: PutParams) => ReturnType<Backend["put"]>) {
  return (backend: Backend): Backend =>
    override(backend, {
      put: (params) => (params.transaction === null ? backend.put(params) : put(backend, params)),
    });
}

/** Puts at once what belongs to a transaction. */
const beside = within((backend, params) => backend.put({ ...params, transaction: null }));

/** Puts without their keys. */
const withoutKeys = within((backend, params) => {
  return backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, key: null })) });
});

/** Takes ids for known that came with any transaction. */
function keepsIds() {
  const ids = new Set<JobId>();
  return (backend: Backend): Backend =>
    override(backend, {
      async put(params) {
        if (params.transaction !== null) for (const { id } of params.jobs) ids.add(id);
        else if (params.jobs.some(({ id }) => ids.has(id))) {
          return params.jobs.map(({ id }) => ({ status: "duplicate", id }));
        }
        return backend.put(params);
      },
    });
}

export const transactions: readonly Mutant[] = [
  {
    rule: "transactions.commit",
    bug: "keeps of a transaction what its first put brought",
    wrap(backend) {
      const seen = new WeakSet<object>();
      return override(backend, {
        async put(params) {
          if (params.transaction !== null && seen.has(params.transaction)) {
            return params.jobs.map(() => ({ status: "added" }));
          }
          if (params.transaction !== null) seen.add(params.transaction);
          return backend.put(params);
        },
      });
    },
  },
  {
    rule: "transactions.commit",
    bug: "puts at once, and again at the commit",
    wrap: within(async (backend, params) => {
      const outcomes = await backend.put(params);
      await backend.put({ ...params, jobs: params.jobs.map((job) => ({ ...job, id: newJobId() })), transaction: null });
      return outcomes;
    }),
  },
  { rule: "transactions.abort", bug: "puts at once what belongs to a transaction", wrap: beside },
  {
    rule: "transactions.abort",
    bug: "takes the ids of an aborted transaction for known",
    wrap: keepsIds(),
  },
  {
    rule: "transactions.invisible-before-commit",
    bug: "puts at once what belongs to a transaction",
    wrap: beside,
  },
  {
    rule: "transactions.commit-wakes",
    bug: "does not wake anybody at the commit",
    queue: made(
      class extends ReferenceQueue {
        #quiet = false;

        override put(params: PutInput & Partial<PutParams>, now: number) {
          this.#quiet = (params.transaction ?? null) !== null;
          return super.put(params, now);
        }

        override available() {
          return this.#quiet ? 0 : super.available();
        }
      },
    ),
  },
  { rule: "transactions.decide-as-always", bug: "does not look at keys in a transaction", wrap: withoutKeys },
  {
    rule: "transactions.decide-as-always",
    bug: "does not look at maxSize in a transaction",
    wrap: within((backend, params) => backend.put({ ...params, maxSize: null })),
  },
  { rule: "transactions.one-of-a-key", bug: "does not look at keys in a transaction", wrap: withoutKeys },
  {
    rule: "transactions.ended",
    bug: "puts outside of a transaction that has ended",
    wrap: within(async (backend, params) => {
      try {
        return await backend.put(params);
      } catch (error) {
        if (!isPqError(error, "INVALID_STATE")) throw error;
        return backend.put({ ...params, transaction: null });
      }
    }),
  },
];
