import type { ReadParams, ReadResult, SettleOutcome } from "../../src/backend.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Stores another result than it was given. */
function stores(change: (result: Uint8Array | null) => Uint8Array | null): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override ack(entry: Entry, result: Uint8Array | null, now: number): SettleOutcome {
        return super.ack(entry, change(result), now);
      }
    },
  );
}

export const results: readonly Mutant[] = [
  {
    rule: "results.kept-then-gone",
    bug: "keeps results for ever",
    queue: made(
      class extends ReferenceQueue {
        protected override ack(entry: Entry, result: Uint8Array | null, now: number): SettleOutcome {
          return super.ack(entry, result, now + 1e9);
        }
      },
    ),
  },
  {
    rule: "results.kept-then-gone",
    bug: "drops results at once",
    queue: made(
      class extends ReferenceQueue {
        protected override ack(entry: Entry, result: Uint8Array | null): SettleOutcome {
          return super.ack(entry, result, -1e9);
        }
      },
    ),
  },
  {
    rule: "results.gone-without-keep",
    bug: "keeps every acked job for a second",
    queue: made(
      class extends ReferenceQueue {
        protected override ack(entry: Entry, result: Uint8Array | null, now: number): SettleOutcome {
          force(entry, { keepResult: entry.keepResult ?? 1_000 });
          return super.ack(entry, result, now);
        }
      },
    ),
  },
  {
    rule: "results.bytes",
    bug: "stores results as text",
    queue: stores((result) => result && Buffer.from(Buffer.from(result).toString())),
  },
  {
    rule: "results.empty-is-not-null",
    bug: "stores no empty result",
    queue: stores((result) => (result?.length === 0 ? null : result)),
  },
  {
    rule: "results.empty-is-not-null",
    bug: "stores an empty result for none",
    queue: stores((result) => result ?? new Uint8Array()),
  },
  {
    rule: "results.done-is-over",
    bug: "counts done jobs as ready",
    queue: made(
      class extends ReferenceQueue {
        override stats(now: number) {
          const stats = super.stats(now);
          return { ...stats, ready: stats.ready + stats.done };
        }
      },
    ),
  },
  {
    rule: "results.done-is-over",
    bug: "takes a done job back when its lease would have run out",
    queue: made(
      class extends ReferenceQueue {
        readonly #leases = new Map<Entry, number>();

        protected override ack(entry: Entry, result: Uint8Array | null, now: number): SettleOutcome {
          this.#leases.set(entry, entry.leaseUntil ?? 0);
          return super.ack(entry, result, now);
        }

        override catchUp(now: number): void {
          for (const [entry, until] of this.#leases) if (until <= now && entry.state === "done") this.giveBack(entry);
          super.catchUp(now);
        }
      },
    ),
  },
  {
    rule: "results.not-ended-by-ttl",
    bug: "ends done jobs by their TTL",
    queue: made(
      class extends ReferenceQueue {
        protected override lifeIsOver(entry: Entry, now: number): boolean {
          return super.lifeIsOver(entry.state === "done" ? { ...entry, state: "ready" } : entry, now);
        }
      },
    ),
  },
  {
    rule: "results.waited-for",
    bug: "gives a result once",
    queue: made(
      class extends ReferenceQueue {
        override read(params: ReadParams, now: number): ReadResult {
          const page = super.read(params, now);
          for (const { id, state } of page.jobs) if (state === "done") this.jobs.delete(id);
          return page;
        }
      },
    ),
  },
  {
    rule: "results.waited-for",
    bug: "does not find done jobs by their ids",
    wrap: (backend) =>
      override(backend, {
        async read(params) {
          const { jobs, cursor } = await backend.read(params);
          return { jobs: "ids" in params ? jobs.filter(({ state }) => state !== "done") : jobs, cursor };
        },
      }),
  },
];
