import type { Settlement } from "../../src/backend.ts";
import type { BuryReason } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, made, type TakeInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Corrects the count of attempts after a settlement of this type. */
function counts(type: Settlement["type"], difference: number): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override settleOne(entry: Entry, item: Settlement, now: number) {
        if (item.type === type) entry.attempt += difference;
        return super.settleOne(entry, item, now);
      }
    },
  );
}

export const attempts: readonly Mutant[] = [
  {
    rule: "attempts.counted-with-the-delivery",
    bug: "counts an attempt when it is settled",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number) {
          const jobs = super.take(params, now);
          for (const { id } of jobs) force(this.jobs.get(id), { attempt: 0 });
          return jobs;
        }

        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          entry.attempt++;
          return super.settleOne(entry, item, now);
        }
      },
    ),
  },
  {
    rule: "attempts.crash-counts",
    bug: "gives the attempt back when a lease runs out",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          entry.attempt--;
          super.expireLease(entry);
        }
      },
    ),
  },
  {
    rule: "attempts.crash-counts",
    bug: "never buries a job whose consumers die",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          this.giveBack(entry);
        }
      },
    ),
  },
  {
    rule: "attempts.crash-counts",
    bug: "counts a crash twice",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          entry.attempt++;
          super.expireLease(entry);
        }
      },
    ),
  },
  { rule: "attempts.fail-counts", bug: "gives the attempt back on fail", queue: counts("fail", -1) },
  {
    rule: "attempts.fail-counts",
    bug: "deletes a job that failed too often",
    queue: made(
      class extends ReferenceQueue {
        protected override bury(entry: Entry, reason: BuryReason): void {
          super.bury(entry, reason);
          if (reason === "failed") this.jobs.delete(entry.id);
        }
      },
    ),
  },
  { rule: "attempts.release-gives-back", bug: "counts a released attempt", queue: counts("release", 1) },
  { rule: "attempts.requeue-gives-back", bug: "counts a requeued attempt", queue: counts("requeue", 1) },
  {
    rule: "attempts.mixed",
    bug: "forgets earlier attempts when a job is released",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          if (item.type === "release") entry.attempt = 1;
          return super.settleOne(entry, item, now);
        }
      },
    ),
  },
  {
    rule: "attempts.mixed",
    bug: "forgets the last error when a lease runs out",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          super.expireLease(entry);
          entry.lastError = null;
        }
      },
    ),
  },
  {
    rule: "attempts.the-only-one",
    bug: "lets the last failure wait for its delay",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          if (item.type !== "fail" || item.delay === 0) return super.settleOne(entry, item, now);
          this.giveBack(entry, item.delay, now);
          return entry.state;
        }
      },
    ),
  },
  {
    rule: "attempts.unlimited",
    bug: "buries after 25 attempts at the latest",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          force(entry, { maxAttempts: Math.min(entry.maxAttempts, 25) });
          return super.settleOne(entry, item, now);
        }
      },
    ),
  },
];
