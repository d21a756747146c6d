import type {
  Counters,
  ControlParams,
  PutOutcome,
  QueueStats,
  SettleOutcome,
  Settlement,
  Touch,
} from "../../src/backend.ts";
import type { BuryReason, DeliveredJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { forgetful, made, override, type PutInput, type TakeInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Reports other counts than there are. */
function reports(change: (stats: QueueStats) => Partial<QueueStats>): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override stats(now: number): QueueStats {
        const stats = super.stats(now);
        return { ...stats, ...change(stats) };
      }
    },
  );
}

export const stats: readonly Mutant[] = [
  {
    rule: "stats.jobs-by-state",
    bug: "counts delayed jobs as ready",
    queue: reports(({ ready, delayed }) => ({ ready: ready + delayed, delayed: 0 })),
  },
  {
    rule: "stats.jobs-by-state",
    bug: "counts leased jobs as ready, too",
    queue: reports(({ ready, leased }) => ({ ready: ready + leased })),
  },
  {
    rule: "stats.counts-puts-and-takes",
    bug: "counts calls of take, not jobs",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number): DeliveredJob[] {
          const { take } = this.counters;
          const jobs = super.take(params, now);
          this.counters.take = take + 1;
          return jobs;
        }
      },
    ),
  },
  {
    rule: "stats.counts-puts-and-takes",
    bug: "counts duplicates as puts",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number): PutOutcome[] {
          const outcomes = super.put(params, now);
          this.counters.put += outcomes.filter(({ status }) => status === "duplicate").length;
          return outcomes;
        }
      },
    ),
  },
  {
    rule: "stats.counts-puts-and-takes",
    bug: "counts urgent jobs only as urgent",
    queue: reports(({ counters }) => ({ counters: { ...counters, put: counters.put - counters.urgent } })),
  },
  {
    rule: "stats.counts-puts-and-takes",
    bug: "counts a touch of a lost lease",
    queue: made(
      class extends ReferenceQueue {
        override touch(items: readonly Touch[], now: number): boolean[] {
          const extended = super.touch(items, now);
          this.counters.touch += extended.filter((done) => !done).length;
          return extended;
        }
      },
    ),
  },
  {
    rule: "stats.counts-settlements",
    bug: "counts a bury twice",
    queue: made(
      class extends ReferenceQueue {
        protected override bury(entry: Entry, reason: BuryReason): void {
          if (reason === "buried") this.counters.bury++;
          super.bury(entry, reason);
        }
      },
    ),
  },
  {
    rule: "stats.counts-settlements",
    bug: "does not count the burying of a failed job",
    queue: made(
      class extends ReferenceQueue {
        protected override bury(entry: Entry, reason: BuryReason): void {
          if (reason === "failed") this.counters.bury--;
          super.bury(entry, reason);
        }
      },
    ),
  },
  {
    rule: "stats.counts-settlements",
    bug: "counts settlements of lost leases",
    queue: made(
      class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number): SettleOutcome[] {
          const outcomes = super.settle(items, now);
          this.counters.ack += outcomes.filter((outcome) => outcome === "lost").length;
          return outcomes;
        }
      },
    ),
  },
  {
    rule: "stats.counts-operators",
    bug: "counts digs as kicks",
    queue: made(
      class extends ReferenceQueue {
        protected override revive(entry: Entry): void {
          super.revive(entry, "kick");
        }
      },
    ),
  },
  {
    rule: "stats.counts-operators",
    bug: "does not count what truncate removes",
    queue: made(
      class extends ReferenceQueue {
        override control(params: ControlParams, now: number) {
          const before = this.counters.delete;
          const result = super.control(params, now);
          if (params.type === "truncate") this.counters.delete = before;
          return result;
        }
      },
    ),
  },
  {
    rule: "stats.counts-the-work-of-time",
    bug: "counts expired jobs as deleted",
    queue: made(
      class extends ReferenceQueue {
        protected override remove(entry: Entry): void {
          super.remove(entry, "delete");
        }
      },
    ),
  },
  {
    rule: "stats.counts-the-work-of-time",
    bug: "counts a lease that ran out only when the job comes back",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          if (entry.attempt >= entry.maxAttempts) this.counters.leaseExpired--;
          super.expireLease(entry);
        }
      },
    ),
  },
  {
    rule: "stats.expired-jobs-are-not-there",
    bug: "counts jobs past their TTL until somebody takes",
    queue: made(
      class extends ReferenceQueue {
        #looking = false;

        override stats(now: number): QueueStats {
          this.#looking = true;
          const stats = super.stats(now);
          this.#looking = false;
          return stats;
        }

        protected override lifeIsOver(entry: Entry, now: number): boolean {
          return !this.#looking && super.lifeIsOver(entry, now);
        }
      },
    ),
  },
  {
    rule: "stats.expired-jobs-are-not-there",
    bug: "lets delayed jobs live until they are due",
    queue: made(
      class extends ReferenceQueue {
        protected override lifeIsOver(entry: Entry, now: number): boolean {
          return entry.state !== "delayed" && super.lifeIsOver(entry, now);
        }
      },
    ),
  },
  { rule: "stats.a-repeated-call-counts-once", bug: "counts a repeated put as duplicates", wrap: forgetful("put") },
  {
    rule: "stats.unknown-queue-is-zero",
    bug: "lists a queue that was only looked at",
    wrap(backend) {
      const asked = new Set<string>();
      return override(backend, {
        stats(queue) {
          asked.add(queue);
          return backend.stats(queue);
        },
        queues: async () => [...new Set([...(await backend.queues()), ...asked])],
      });
    },
  },
  {
    rule: "stats.queues-that-had-a-job",
    bug: "forgets a queue when its last job is gone",
    wrap: (backend) =>
      override(backend, {
        async queues() {
          const names = await backend.queues();
          const all = await Promise.all(names.map((name) => backend.stats(name)));
          return names.filter((_, index) => all[index] !== undefined && all[index].ready + all[index].leased > 0);
        },
      }),
  },
  {
    rule: "stats.kept-over-closing",
    bug: "counts since the connection was opened",
    wrap(backend) {
      let before: Counters | undefined;
      return override(backend, {
        async open(params) {
          const guarantees = await backend.open(params);
          before = (await backend.stats("q")).counters;
          return guarantees;
        },
        async stats(queue) {
          const stats = await backend.stats(queue);
          return { ...stats, counters: { ...stats.counters, put: stats.counters.put - (before?.put ?? 0) } };
        },
      });
    },
  },
];
