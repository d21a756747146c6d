import type { ControlParams, ControlResult, PutOutcome } from "../../src/backend.ts";
import type { JobState } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { newRequestId } from "../../src/id.ts";
import { made, override, turn } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Stores a put in parts of so many jobs. */
function putsInParts(size: number): Required<Pick<Mutant, "wrap">>["wrap"] {
  return (backend) =>
    override(backend, {
      async put(params) {
        const outcomes: PutOutcome[] = [];
        for (let from = 0; from < params.jobs.length; from += size) {
          const jobs = params.jobs.slice(from, from + size);
          outcomes.push(...(await backend.put({ ...params, jobs, request: newRequestId() })));
          await turn();
        }
        return outcomes;
      },
    });
}

/** Truncate leaves the jobs of this state. */
function truncatesAllBut(state: JobState): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override control(params: ControlParams, now: number): ControlResult {
        if (params.type !== "truncate") return super.control(params, now);
        this.catchUp(now);
        const chosen = [...this.jobs.values()].filter((entry) => entry.state !== state);
        for (const entry of chosen) this.remove(entry, "delete");
        return { count: chosen.length, outcomes: [] };
      }
    },
  );
}

export const batch: readonly Mutant[] = [
  { rule: "batch.put-keeps-its-order", bug: "stores the jobs of a put one by one", wrap: putsInParts(1) },
  {
    rule: "batch.put-keeps-its-order",
    bug: "orders the jobs of one moment by their id",
    queue: made(
      class extends ReferenceQueue {
        override deliverable(): Entry[] {
          return super.deliverable().toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? 1 : -1));
        }
      },
    ),
  },
  { rule: "batch.put-is-seen-whole", bug: "stores a put in parts of 20", wrap: putsInParts(20) },
  { rule: "batch.put-is-taken-whole", bug: "stores a put in parts of 20", wrap: putsInParts(20) },
  {
    rule: "batch.largest",
    bug: "stores the first thousand",
    wrap: (backend) =>
      override(backend, {
        async put(params) {
          await backend.put({ ...params, jobs: params.jobs.slice(0, 1_000) });
          return params.jobs.map(() => ({ status: "added" }));
        },
      }),
  },
  {
    rule: "batch.repeated-take-keeps-its-order",
    bug: "gives the jobs of a repeated take backwards",
    wrap(backend) {
      const seen = new Set<string>();
      return override(backend, {
        async take(params) {
          const taken = await backend.take(params);
          const repeated = seen.has(params.request);
          seen.add(params.request);
          return repeated ? taken.toReversed() : taken;
        },
      });
    },
  },
  {
    rule: "batch.settle-each-by-itself",
    bug: "stops at the first lost lease",
    wrap: (backend) =>
      override(backend, {
        async settle(params) {
          const { jobs } = await backend.read({ queue: params.queue, ids: params.items.map(({ id }) => id) });
          const leased = new Set(jobs.filter(({ state }) => state === "leased").map(({ id }) => id));
          const good = params.items.findIndex(({ id }) => !leased.has(id));
          const outcomes = await backend.settle({ ...params, items: params.items.slice(0, good) });
          return params.items.map((_, index) => outcomes[index] ?? "lost");
        },
      }),
  },
  {
    rule: "batch.settle-each-by-itself",
    bug: "answers for the lost ones last",
    wrap: (backend) =>
      override(backend, {
        async settle(params) {
          const outcomes = await backend.settle(params);
          return outcomes.toSorted((a, b) => Number(a === "lost") - Number(b === "lost"));
        },
      }),
  },
  {
    rule: "batch.touch-each-by-itself",
    bug: "touches none when one lease is lost",
    wrap: (backend) =>
      override(backend, {
        async touch(params) {
          const { jobs } = await backend.read({ queue: params.queue, ids: params.items.map(({ id }) => id) });
          const held = jobs.filter(({ state }) => state === "leased").length === params.items.length;
          return held ? backend.touch(params) : params.items.map(() => false);
        },
      }),
  },
  {
    rule: "batch.touch-each-by-itself",
    bug: "extends the first only",
    wrap: (backend) =>
      override(backend, {
        async touch(params) {
          const [first = false] = await backend.touch({ ...params, items: params.items.slice(0, 1) });
          const { jobs } = await backend.read({ queue: params.queue, ids: params.items.map(({ id }) => id) });
          return params.items.map(({ id }) => first && jobs.some((one) => one.id === id && one.state === "leased"));
        },
      }),
  },
  {
    rule: "batch.dig-and-delete-each-by-itself",
    bug: "leaves out ids that it does not know",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          const { count, outcomes } = await backend.control(params);
          return { count, outcomes: outcomes.filter((outcome) => outcome !== "not-found") };
        },
      }),
  },
  {
    rule: "batch.dig-and-delete-each-by-itself",
    bug: "counts the ids that it was given",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          const result = await backend.control(params);
          return params.type === "delete" ? { ...result, count: params.ids.length } : result;
        },
      }),
  },
  {
    rule: "batch.dig-and-delete-each-by-itself",
    bug: "deletes no leased job",
    wrap: (backend) =>
      override(backend, {
        async control(params) {
          if (params.type !== "delete") return backend.control(params);
          const { jobs } = await backend.read(params);
          const leased = new Set(jobs.filter(({ state }) => state === "leased").map(({ id }) => id));
          return backend.control({ ...params, ids: params.ids.filter((id) => !leased.has(id)) });
        },
      }),
  },
  ...(["leased", "delayed", "buried", "done"] as const).map((state) => ({
    rule: "batch.truncate-removes-all",
    bug: `leaves ${state} jobs`,
    queue: truncatesAllBut(state),
  })),
  {
    rule: "batch.truncate-removes-all",
    bug: "starts the counters anew",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number): ControlResult {
          const result = super.control(params, now);
          if (params.type === "truncate") this.counters.put = 0;
          return result;
        }
      },
    ),
  },
];
