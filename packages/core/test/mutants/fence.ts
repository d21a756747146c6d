import type { SettleOutcome, Settlement, Touch } from "../../src/backend.ts";
import type { LeaseProof } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Accepts proofs by another test. */
function accepts(proves: (entry: Entry, proof: LeaseProof) => boolean): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override holder(proof: LeaseProof): Entry | undefined {
        const entry = this.jobs.get(proof.id);
        return entry !== undefined && proves(entry, proof) ? entry : undefined;
      }
    },
  );
}

/** Does not look at the fence of settlements of this type. */
function blindTo(type: Settlement["type"]): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override settle(items: readonly Settlement[], now: number) {
        const newest = (item: Settlement): Settlement => ({ ...item, fence: this.jobs.get(item.id)?.fence ?? 0 });
        return super.settle(
          items.map((item) => (item.type === type ? newest(item) : item)),
          now,
        );
      }
    },
  );
}

/** Numbers the deliveries of each job from 1, anew after these commands. */
class CountsAgain extends ReferenceQueue {
  protected override nextFence(): number {
    return 0;
  }

  protected override deliver(entry: Entry, now: number, lease: number): void {
    const { fence } = entry;
    super.deliver(entry, now, lease);
    entry.fence = fence + 1;
  }

  protected override revive(entry: Entry, counter: "kick" | "dig"): void {
    super.revive(entry, counter);
    entry.fence = 0;
  }
}

export const fence: readonly Mutant[] = [
  {
    rule: "fence.grows",
    bug: "takes the number of the attempt for the fence",
    queue: made(
      class extends ReferenceQueue {
        protected override deliver(entry: Entry, now: number, lease: number): void {
          super.deliver(entry, now, lease);
          entry.fence = entry.attempt;
        }
      },
    ),
  },
  { rule: "fence.grows", bug: "numbers deliveries anew after a kick", queue: made(CountsAgain) },
  { rule: "fence.never-repeats", bug: "counts the deliveries of each job for itself", queue: made(CountsAgain) },
  { rule: "fence.stale-ack", bug: "acks by id alone", queue: blindTo("ack") },
  { rule: "fence.stale-settlements", bug: "releases by id alone", queue: blindTo("release") },
  { rule: "fence.stale-settlements", bug: "requeues by id alone", queue: blindTo("requeue") },
  { rule: "fence.stale-settlements", bug: "fails by id alone", queue: blindTo("fail") },
  { rule: "fence.stale-settlements", bug: "buries by id alone", queue: blindTo("bury") },
  {
    rule: "fence.stale-touch",
    bug: "stores the progress of a stale holder",
    queue: made(
      class extends ReferenceQueue {
        override touch(items: readonly Touch[], now: number) {
          for (const { id, progress } of items) {
            const entry = this.jobs.get(id);
            if (entry !== undefined) entry.progress = progress;
          }
          return super.touch(items, now);
        }
      },
    ),
  },
  {
    rule: "fence.stale-touch",
    bug: "extends the lease of whoever holds it",
    queue: made(
      class extends ReferenceQueue {
        override touch(items: readonly Touch[], now: number) {
          return super.touch(
            items.map((item) => ({ ...item, fence: this.jobs.get(item.id)?.fence ?? 0 })),
            now,
          );
        }
      },
    ),
  },
  {
    rule: "fence.never-guessed",
    bug: "accepts any fence that is not smaller",
    queue: accepts((entry, { fence }) => entry.state === "leased" && fence >= entry.fence),
  },
  {
    rule: "fence.second-ack",
    bug: "takes a job that is gone for acked",
    queue: made(
      class extends ReferenceQueue {
        override settle(items: readonly Settlement[], now: number) {
          const gone = items.map(({ id }) => !this.jobs.has(id));
          return super.settle(items, now).map((outcome, index): SettleOutcome => (gone[index] ? "gone" : outcome));
        }
      },
    ),
  },
  {
    rule: "fence.ends-with-the-settlement",
    bug: "looks at the fence and not at the state",
    queue: accepts((entry, { fence }) => entry.fence === fence),
  },
  { rule: "fence.survives-a-kick", bug: "numbers deliveries anew after a kick", queue: made(CountsAgain) },
  {
    rule: "fence.deleted-under-the-holder",
    bug: "brings a deleted job back when it is released",
    queue: made(
      class extends ReferenceQueue {
        readonly #deleted = new Map<string, Entry>();

        protected override remove(entry: Entry, counter: "delete" | "expired"): void {
          super.remove(entry, counter);
          this.#deleted.set(entry.id, entry);
        }

        protected override holder(proof: LeaseProof, now: number): Entry | undefined {
          const deleted = this.#deleted.get(proof.id);
          if (deleted !== undefined) this.jobs.set(proof.id, deleted);
          return super.holder(proof, now);
        }
      },
    ),
  },
];
