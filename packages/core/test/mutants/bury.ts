import type { ControlParams, QueueStats, Settlement } from "../../src/backend.ts";
import type { BuryReason, JobState } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { forgetful, made } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Does something else, or something more, when it buries. */
function buries(act: (entry: Entry, queue: ReferenceQueue) => void): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override bury(entry: Entry, reason: BuryReason): void {
        super.bury(entry, reason);
        act(entry, this);
      }
    },
  );
}

/** Does something more when it kicks or digs. */
function revives(act: (entry: Entry, before: Readonly<Entry>) => void): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override revive(entry: Entry, counter: "kick" | "dig"): void {
        const before = { ...entry };
        super.revive(entry, counter);
        act(entry, before);
      }
    },
  );
}

/** Digs jobs in these states too. */
function digs(...states: readonly JobState[]): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override control(params: ControlParams, now: number) {
        if (params.type === "dig") {
          for (const id of params.ids) {
            const entry = this.jobs.get(id);
            if (entry !== undefined && states.includes(entry.state)) this.become(entry, "buried");
          }
        }
        return super.control(params, now);
      }
    },
  );
}

export const bury: readonly Mutant[] = [
  {
    rule: "bury.puts-aside",
    bug: "gives a buried job out again",
    queue: buries((entry) => {
      entry.state = "ready";
    }),
  },
  {
    rule: "bury.puts-aside",
    bug: "says failed of every buried job",
    queue: buries((entry) => {
      entry.buryReason = "failed";
    }),
  },
  {
    rule: "bury.in-one-state",
    bug: "deletes before it buries, and dies in between",
    queue: buries((entry, queue) => queue.jobs.delete(entry.id)),
  },
  {
    rule: "bury.in-one-state",
    bug: "counts a buried job among the leased ones too",
    queue: made(
      class extends ReferenceQueue {
        override stats(now: number): QueueStats {
          const stats = super.stats(now);
          return { ...stats, leased: stats.leased + stats.buried };
        }
      },
    ),
  },
  {
    rule: "bury.keeps-the-error",
    bug: "forgets the error of the attempt before",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          if (item.type === "bury") entry.lastError = item.error;
          return super.settleOne(entry, item, now);
        }
      },
    ),
  },
  {
    rule: "bury.kick-limit",
    bug: "kicks all there are, whatever the limit",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number) {
          return super.control(params.type === "kick" ? { ...params, limit: Infinity } : params, now);
        }
      },
    ),
  },
  {
    rule: "bury.kick-limit",
    bug: "tells the limit instead of the number",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number) {
          const result = super.control(params, now);
          return params.type === "kick" ? { ...result, count: params.limit } : result;
        }
      },
    ),
  },
  {
    rule: "bury.kick-by-burial",
    bug: "kicks in the order of the puts",
    queue: made(
      class extends ReferenceQueue {
        protected override listed(state: JobState): Entry[] {
          return state === "buried" ? this.inState("buried") : super.listed(state);
        }
      },
    ),
  },
  {
    rule: "bury.kick-renews",
    bug: "kicks without fresh attempts",
    queue: revives((entry, { attempt }) => {
      entry.attempt = attempt;
    }),
  },
  {
    rule: "bury.kick-renews",
    bug: "keeps the reason of a kicked job",
    queue: revives((entry, { buryReason }) => {
      entry.buryReason = buryReason;
    }),
  },
  {
    rule: "bury.back-at-the-end",
    bug: "kicks to the old place",
    queue: revives((entry, { position }) => {
      entry.position = position;
    }),
  },
  {
    rule: "bury.back-at-the-end",
    bug: "kicks to the returned jobs",
    queue: revives((entry) => {
      entry.returned = true;
    }),
  },
  { rule: "bury.kick-repeated", bug: "takes a repetition for a new call", wrap: forgetful("control") },
  { rule: "bury.dig", bug: "digs delayed jobs", queue: digs("delayed") },
  {
    rule: "bury.dig",
    bug: "says invalid-state of what it does not know",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number) {
          const result = super.control(params, now);
          const outcomes = result.outcomes.map((outcome) => (outcome === "not-found" ? "invalid-state" : outcome));
          return { ...result, outcomes };
        }
      },
    ),
  },
  { rule: "bury.dig-leaves-holders-alone", bug: "digs leased jobs", queue: digs("leased") },
];
