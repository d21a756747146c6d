import type { NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, type PutInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

export const urgent: readonly Mutant[] = [
  {
    rule: "urgent.newest-first",
    bug: "serves urgent jobs from the oldest to the newest",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add(job, now);
          const entry = this.jobs.get(job.id);
          if (entry?.urgent === true) entry.position = this.nextPosition();
        }
      },
    ),
  },
  {
    rule: "urgent.before-any-priority",
    bug: "takes urgent for the lowest priority number",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add(job.urgent ? { ...job, urgent: false, priority: -(2 ** 31) } : job, now);
        }
      },
    ),
  },
  {
    rule: "urgent.in-one-put",
    bug: "gives the urgent jobs of one put one position, in the order of the array",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number) {
          return super.put({ ...params, jobs: params.jobs.toReversed() }, now);
        }
      },
    ),
  },
  {
    rule: "urgent.through-release",
    bug: "forgets at a release that the job was urgent",
    queue: made(
      class extends ReferenceQueue {
        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          super.giveBack(entry, delay, now);
          entry.urgent = false;
        }
      },
    ),
  },
  {
    rule: "urgent.through-release",
    bug: "gives a released urgent job a new urgent position",
    queue: made(
      class extends ReferenceQueue {
        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          super.giveBack(entry, delay, now);
          if (entry.urgent) entry.position = --this.lastUrgentPosition;
        }
      },
    ),
  },
  {
    rule: "urgent.through-expiry",
    bug: "forgets at the end of the lease that the job was urgent",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          super.expireLease(entry);
          entry.urgent = false;
        }
      },
    ),
  },
  {
    rule: "urgent.ended-by-requeue",
    bug: "requeues an urgent job before everything",
    queue: made(
      class extends ReferenceQueue {
        protected override toTheEnd(entry: Entry): void {
          const { urgent } = entry;
          super.toTheEnd(entry);
          entry.urgent = urgent;
        }
      },
    ),
  },
  {
    rule: "urgent.ended-by-kick",
    bug: "kicks an urgent job before everything",
    queue: made(
      class extends ReferenceQueue {
        protected override revive(entry: Entry, counter: "kick" | "dig"): void {
          const { urgent } = entry;
          super.revive(entry, counter);
          entry.urgent = urgent;
        }
      },
    ),
  },
];
