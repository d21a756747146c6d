import type { ControlParams, ControlResult, Settlement, SettleOutcome } from "../../src/backend.ts";
import { systemClock } from "../../src/clock.ts";
import { newJobId } from "../../src/id.ts";
import type { Due, JobState, NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Puts with another due time. */
function due(change: (due: Due, now: number) => Due): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override add(job: NewJob, now: number): void {
        super.add(job.due === null ? job : { ...job, due: change(job.due, now) }, now);
      }
    },
  );
}

/** Settles with another delay. */
function returnsAfter(change: (delay: number) => number): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override settleOne(entry: Entry, item: Settlement, now: number) {
        return super.settleOne(entry, "delay" in item ? { ...item, delay: change(item.delay) } : item, now);
      }
    },
  );
}

/** Judges due times by a clock of the producer's machine, which is wrong. */
function producersClock(error: number): Pick<Mutant, "wrap"> {
  return {
    wrap: (backend) =>
      override(backend, {
        put: (params) => backend.put({ ...params, jobs: params.jobs.map((job) => byItsClock(job, error)) }),
      }),
  };
}

function byItsClock(job: NewJob, error: number): NewJob {
  if (job.due === null || !("in" in job.due)) return job;
  return { ...job, due: { at: systemClock.now() + error + job.due.in } };
}

const CENTURY = 36_525 * 86_400_000;

export const delay: readonly Mutant[] = [
  {
    rule: "delay.not-early",
    bug: "delays half as long",
    queue: due((due) => ("in" in due ? { in: due.in / 2 } : due)),
  },
  {
    rule: "delay.not-early",
    bug: "delays in seconds",
    queue: due((due) => ("in" in due ? { in: Math.ceil(due.in / 1000) * 1000 * 10 } : due)),
  },
  {
    rule: "delay.by-the-stores-clock",
    bug: "has a clock that shows the end of the second",
    queue: made(
      class extends ReferenceQueue {
        override catchUp(now: number): void {
          super.catchUp(Math.ceil(now / 1000) * 1000);
        }
      },
    ),
  },
  {
    rule: "delay.without-a-look",
    bug: "gives due jobs their place only when somebody takes",
    queue: made(
      class extends ReferenceQueue {
        #putting = false;

        override put(params: Parameters<ReferenceQueue["put"]>[0], now: number) {
          this.#putting = true;
          const outcomes = super.put(params, now);
          this.#putting = false;
          return outcomes;
        }

        override catchUp(now: number): void {
          if (!this.#putting) super.catchUp(now);
        }
      },
    ),
  },
  {
    rule: "delay.after-earlier-puts",
    bug: "gives a delayed job its place at the put",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add(job, now);
          const entry = this.jobs.get(job.id);
          if (entry?.state === "delayed") entry.position = this.nextPosition();
        }
      },
    ),
  },
  {
    rule: "delay.by-due-time",
    bug: "brings due jobs in in the order of their puts",
    queue: made(
      class extends ReferenceQueue {
        protected override listed(state: JobState): Entry[] {
          return state === "delayed" ? this.inState("delayed") : super.listed(state);
        }
      },
    ),
  },
  {
    rule: "delay.due-once",
    bug: "brings a due job in twice",
    queue: made(
      class extends ReferenceQueue {
        protected override fallDue(entry: Entry): void {
          super.fallDue(entry);
          this.jobs.set(newJobId(), { ...entry });
        }
      },
    ),
  },
  {
    rule: "delay.moment-of-the-store",
    bug: "turns a moment into a delay by the clock of the producer's machine",
    queue: due((due) => ("at" in due ? { in: due.at - systemClock.now() } : due)),
  },
  {
    rule: "delay.until-a-moment",
    bug: "takes a moment for a delay",
    queue: due((due) => ("at" in due ? { in: due.at } : due)),
  },
  {
    rule: "delay.until-a-moment",
    bug: "delivers a job for a moment at once",
    queue: due((due) => ("at" in due ? { in: 0 } : due)),
  },
  {
    rule: "delay.before-later-requeues",
    bug: "settles before it looks what fell due",
    queue: () =>
      new (class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number): SettleOutcome[] {
          return items.map((item) => {
            const entry = this.holder(item, now);
            return entry === undefined ? "lost" : this.settleOne(entry, item, now);
          });
        }
      })(),
  },
  {
    rule: "delay.before-later-requeues",
    bug: "kicks and digs before it looks what fell due",
    queue: () =>
      new (class extends ReferenceQueue {
        #acting = false;

        override control(params: ControlParams, now: number): ControlResult {
          this.#acting = true;
          const result = super.control(params, now);
          this.#acting = false;
          return result;
        }

        override catchUp(now: number): void {
          if (!this.#acting) super.catchUp(now);
        }
      })(),
  },
  { rule: "delay.fast-producer", bug: "goes by the clock of the producer's machine", ...producersClock(CENTURY) },
  { rule: "delay.slow-producer", bug: "goes by the clock of the producer's machine", ...producersClock(-CENTURY) },
  {
    rule: "delay.of-a-release",
    bug: "releases at once, whatever the delay",
    queue: returnsAfter(() => 0),
  },
  {
    rule: "delay.of-a-retry",
    bug: "retries at once, whatever the backoff",
    queue: returnsAfter(() => 0),
  },
];
