import { systemClock } from "../../src/clock.ts";
import type { JobState, NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, made } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Ends the jobs of these states by their TTL. */
function ends(...states: readonly JobState[]): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override lifeIsOver({ state, expiresAt }: Entry, now: number): boolean {
        return states.includes(state) && expiresAt !== null && expiresAt <= now;
      }
    },
  );
}

/** Notes another end of the TTL at the put. */
function expiresAt(when: (job: NewJob, now: number) => number): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override add(job: NewJob, now: number): void {
        super.add(job, now);
        const entry = this.jobs.get(job.id);
        if (entry !== undefined && job.ttl !== null) force(entry, { expiresAt: when(job, now) });
      }
    },
  );
}

const CENTURY = 36_525 * 86_400_000;

export const ttl: readonly Mutant[] = [
  { rule: "ttl.ends-a-ready-job", bug: "ends delayed jobs only", queue: ends("delayed") },
  {
    rule: "ttl.ends-a-ready-job",
    bug: "hides a job whose TTL is over from takes only",
    queue: made(
      class extends ReferenceQueue {
        #now = 0;

        override catchUp(now: number): void {
          this.#now = now;
          super.catchUp(now);
        }

        protected override lifeIsOver(): boolean {
          return false;
        }

        override deliverable(): Entry[] {
          return super.deliverable().filter((entry) => !super.lifeIsOver(entry, this.#now));
        }
      },
    ),
  },
  { rule: "ttl.ends-a-delayed-job", bug: "ends ready jobs only", queue: ends("ready") },
  {
    rule: "ttl.counts-from-the-put",
    bug: "counts the TTL from the due time",
    queue: expiresAt(({ ttl, due }, now) => now + (ttl ?? 0) + (due !== null && "in" in due ? due.in : 0)),
  },
  { rule: "ttl.not-under-a-consumer", bug: "ends leased jobs too", queue: ends("ready", "delayed", "leased") },
  {
    rule: "ttl.counts-after-a-return",
    bug: "forgets the TTL of a job that was returned",
    queue: made(
      class extends ReferenceQueue {
        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          super.giveBack(entry, delay, now);
          force(entry, { expiresAt: null });
        }
      },
    ),
  },
  {
    rule: "ttl.counts-after-a-crash",
    bug: "forgets the TTL of a job whose lease ran out",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          super.expireLease(entry);
          force(entry, { expiresAt: null });
        }
      },
    ),
  },
  { rule: "ttl.not-of-the-buried", bug: "ends buried jobs too", queue: ends("ready", "delayed", "buried") },
  {
    rule: "ttl.fast-producer",
    bug: "goes by the clock of the producer's machine",
    queue: expiresAt(({ ttl }) => systemClock.now() + CENTURY + (ttl ?? 0)),
  },
  {
    rule: "ttl.slow-producer",
    bug: "goes by the clock of the producer's machine",
    queue: expiresAt(({ ttl }) => systemClock.now() - CENTURY + (ttl ?? 0)),
  },
];
