import type { PutOutcome } from "../../src/backend.ts";
import type { JobState, NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, override, turn, type PutInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Counts these states towards `maxSize`. */
function counting(...states: readonly JobState[]): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override size(): number {
        return states.reduce((sum, state) => sum + this.inState(state).length, 0);
      }
    },
  );
}

/** Keeps a count of its own, which a job that goes in this way does not lower. */
function countsStill(goes: (entry: Entry, counter: "delete" | "expired") => boolean): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      #ghosts = 0;

      protected override remove(entry: Entry, counter: "delete" | "expired"): void {
        if (goes(entry, counter)) this.#ghosts++;
        super.remove(entry, counter);
      }

      protected override size(): number {
        return super.size() + this.#ghosts;
      }
    },
  );
}

export const capacity: readonly Mutant[] = [
  {
    rule: "capacity.counts-ready-delayed-leased",
    bug: "leaves delayed jobs out",
    queue: counting("ready", "leased"),
  },
  {
    rule: "capacity.counts-ready-delayed-leased",
    bug: "leaves leased jobs out",
    queue: counting("ready", "delayed"),
  },
  {
    rule: "capacity.counts-ready-delayed-leased",
    bug: "allows one too many",
    queue: made(
      class extends ReferenceQueue {
        protected override size(): number {
          return super.size() - 1;
        }
      },
    ),
  },
  {
    rule: "capacity.not-buried-nor-done",
    bug: "counts buried jobs",
    queue: counting("ready", "delayed", "leased", "buried"),
  },
  {
    rule: "capacity.not-buried-nor-done",
    bug: "counts done jobs",
    queue: counting("ready", "delayed", "leased", "done"),
  },
  {
    rule: "capacity.full-stores-nothing",
    bug: "stores the job before it finds the queue full",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number): PutOutcome[] {
          const outcomes = super.put(params, now);
          params.jobs.forEach((job, index) => {
            if (outcomes[index]?.status === "full") this.add(job, now);
          });
          return outcomes;
        }
      },
    ),
  },
  {
    rule: "capacity.batch-whole",
    bug: "stores what there is room for, asked or not",
    wrap: (backend) => override(backend, { put: (params) => backend.put({ ...params, partial: true }) }),
  },
  {
    rule: "capacity.batch-partial",
    bug: "stores none unless there is room for all",
    wrap: (backend) => override(backend, { put: (params) => backend.put({ ...params, partial: false }) }),
  },
  {
    rule: "capacity.batch-partial",
    bug: "fills the room from the end of the array",
    queue: made(
      class extends ReferenceQueue {
        protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
          return super.plan(jobs.toReversed(), maxSize, partial).toReversed();
        }
      },
    ),
  },
  {
    rule: "capacity.duplicates-need-no-room",
    bug: "looks for room before it looks for duplicates",
    queue: made(
      class extends ReferenceQueue {
        protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
          const full = maxSize !== null && this.size() >= maxSize;
          return full ? jobs.map(() => ({ status: "full" })) : super.plan(jobs, maxSize, partial);
        }
      },
    ),
  },
  {
    rule: "capacity.duplicates-need-no-room",
    bug: "counts duplicates as though they were stored",
    queue: made(
      class extends ReferenceQueue {
        protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
          const duplicates = super.plan(jobs, null, partial).filter(({ status }) => status === "duplicate").length;
          const planned = super.plan(jobs, maxSize === null ? null : maxSize - duplicates, partial);
          return planned;
        }
      },
    ),
  },
  {
    rule: "capacity.room-again",
    bug: "still counts deleted jobs",
    queue: countsStill((_, counter) => counter === "delete"),
  },
  {
    rule: "capacity.room-again",
    bug: "still counts expired jobs",
    queue: countsStill((_, counter) => counter === "expired"),
  },
  {
    rule: "capacity.racing-putters",
    bug: "looks for room in one step and stores in the next",
    wrap: (backend) =>
      override(backend, {
        async put(params) {
          const { ready, delayed, leased } = await backend.stats(params.queue);
          await turn();
          const full = params.maxSize !== null && ready + delayed + leased + params.jobs.length > params.maxSize;
          return full ? params.jobs.map(() => ({ status: "full" })) : backend.put({ ...params, maxSize: null });
        },
      }),
  },
  {
    rule: "capacity.a-put-waits-for-room",
    bug: "believes for good that a queue is full that once was",
    wrap(backend) {
      let full = false;
      return override(backend, {
        async put(params) {
          if (full) return params.jobs.map(() => ({ status: "full" }));
          const outcomes = await backend.put(params);
          full = outcomes.some(({ status }) => status === "full");
          return outcomes;
        },
      });
    },
  },
];
