import type { SettleOutcome, Settlement } from "../../src/backend.ts";
import { newRequestId } from "../../src/id.ts";
import type { JobId } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { forgetful, made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

export const settle: readonly Mutant[] = [
  {
    rule: "settle.ack-is-final",
    bug: "says that it acked and lets the lease run out",
    queue: made(
      class extends ReferenceQueue {
        protected override ack(): SettleOutcome {
          return "gone";
        }
      },
    ),
  },
  {
    rule: "settle.release-is-at-once",
    bug: "leaves a released job to the end of its lease",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          return item.type === "release" ? "ready" : super.settleOne(entry, item, now);
        }
      },
    ),
  },
  {
    rule: "settle.tells-the-state",
    bug: "says ready of a delayed job",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number): SettleOutcome {
          const outcome = super.settleOne(entry, item, now);
          return outcome === "delayed" ? "ready" : outcome;
        }
      },
    ),
  },
  {
    rule: "settle.mixed-batch",
    bug: "refuses a whole batch for one lost lease",
    queue: made(
      class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number) {
          const lost = items.some((item) => this.holder(item, now) === undefined);
          return lost ? items.map((): SettleOutcome => "lost") : super.settle(items, now);
        }
      },
    ),
  },
  {
    rule: "settle.mixed-batch",
    bug: "stops at the first lost lease",
    queue: made(
      class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number) {
          const first = items.findIndex((item) => this.holder(item, now) === undefined);
          const done = super.settle(first === -1 ? items : items.slice(0, first), now);
          return items.map((_, index): SettleOutcome => done[index] ?? "lost");
        }
      },
    ),
  },
  {
    rule: "settle.mixed-batch",
    bug: "answers for the lost leases at the end",
    queue: made(
      class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number) {
          return super.settle(items, now).toSorted((a, b) => Number(a === "lost") - Number(b === "lost"));
        }
      },
    ),
  },
  { rule: "settle.repeated-call", bug: "takes a repetition for a new call", wrap: forgetful("settle") },
  {
    rule: "settle.repeated-when-the-id-is-back",
    bug: "forgets what was done to a job when its id is put again",
    wrap(backend) {
      const puts = new Map<JobId, number>();
      return override(backend, {
        put(params) {
          for (const { id } of params.jobs) puts.set(id, (puts.get(id) ?? 0) + 1);
          return backend.put(params);
        },
        settle(params) {
          const again = params.items.some(({ id }) => (puts.get(id) ?? 0) > 1);
          return backend.settle(again ? { ...params, request: newRequestId() } : params);
        },
      });
    },
  },
  {
    rule: "settle.repeated-changes-nothing",
    bug: "does a repeated settlement again, on whatever lease there is",
    queue: made(
      class extends ReferenceQueue {
        protected override holder({ id }: Settlement): Entry | undefined {
          const entry = this.jobs.get(id);
          return entry?.state === "leased" ? entry : undefined;
        }
      },
    ),
    wrap: forgetful("settle"),
  },
  { rule: "settle.repeated-touch", bug: "takes a repetition for a new call", wrap: forgetful("touch") },
  {
    rule: "settle.passes-on-what-was-reported",
    bug: "drops the progress with the lease",
    queue: made(
      class extends ReferenceQueue {
        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          super.giveBack(entry, delay, now);
          entry.progress = null;
        }
      },
    ),
  },
  {
    rule: "settle.passes-on-what-was-reported",
    bug: "cuts errors at 255 characters",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          const outcome = super.settleOne(entry, item, now);
          entry.lastError = entry.lastError?.slice(0, 255) ?? null;
          return outcome;
        }
      },
    ),
  },
  {
    rule: "settle.passes-on-what-was-reported",
    bug: "drops progress at a touch that brings none",
    queue: made(
      class extends ReferenceQueue {
        protected override extend(
          entry: Entry,
          item: Parameters<ReferenceQueue["touch"]>[0][number],
          now: number,
        ): void {
          super.extend(entry, item, now);
          entry.progress = item.progress;
        }
      },
    ),
  },
  {
    rule: "settle.run",
    bug: "keeps no error",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          const outcome = super.settleOne(entry, item, now);
          entry.lastError = null;
          return outcome;
        }
      },
    ),
  },
  {
    rule: "settle.disposed-is-released",
    bug: "counts a released attempt",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          if (item.type === "release") entry.attempt++;
          return super.settleOne(entry, item, now);
        }
      },
    ),
  },
];
