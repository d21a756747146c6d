import type { Settlement, Touch } from "../../src/backend.ts";
import { systemClock } from "../../src/clock.ts";
import type { LeaseProof } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Leases with another end. */
function leasesUntil(end: (entry: Entry, now: number) => number): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override deliver(entry: Entry, now: number, lease: number): void {
        super.deliver(entry, now, lease);
        entry.leaseUntil = end(entry, now);
      }
    },
  );
}

/** Extends leases in another way. */
function touches(until: (left: number, now: number, lease: number) => number): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override extend(entry: Entry, item: Touch, now: number): void {
        const left = entry.leaseUntil ?? 0;
        super.extend(entry, item, now);
        entry.leaseUntil = until(left, now, item.lease);
      }
    },
  );
}

/** Takes no lease back before a settlement, and looks at the clock for settlements of the other types only. */
function patientWith(type: Settlement["type"]): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      #settling = false;

      override settle(items: readonly Settlement[], now: number) {
        this.#settling = true;
        const outcomes = super.settle(items, now);
        this.#settling = false;
        return outcomes;
      }

      override catchUp(now: number): void {
        if (!this.#settling) super.catchUp(now);
      }

      protected override holder(proof: LeaseProof | Settlement, now: number): Entry | undefined {
        return super.holder(proof, "type" in proof && proof.type === type ? 0 : now);
      }
    },
  );
}

export const lease: readonly Mutant[] = [
  { rule: "lease.comes-back", bug: "ends leases early", queue: leasesUntil(({ lease }, now) => now + lease / 2) },
  { rule: "lease.comes-back", bug: "never ends a lease", queue: leasesUntil(() => Infinity) },
  {
    rule: "lease.comes-back",
    bug: "removes a job as it gives it out",
    queue: made(
      class extends ReferenceQueue {
        protected override deliver(entry: Entry, now: number, lease: number): void {
          super.deliver(entry, now, lease);
          this.jobs.delete(entry.id);
        }
      },
    ),
  },
  {
    rule: "lease.all-come-back",
    bug: "takes back one lease, and loses sight of the others that ran out",
    queue: made(
      class extends ReferenceQueue {
        #left = 1;

        protected override leaseIsOver(entry: Entry, now: number): boolean {
          return super.leaseIsOver(entry, now) && this.#left > 0;
        }

        protected override expireLease(entry: Entry): void {
          this.#left--;
          super.expireLease(entry);
        }
      },
    ),
  },
  {
    rule: "lease.late-ack-is-lost",
    bug: "accepts a late ack while nobody has taken the job",
    queue: patientWith("ack"),
  },
  {
    rule: "lease.late-settlements-are-lost",
    bug: "accepts a late release while nobody has taken the job",
    queue: patientWith("release"),
  },
  {
    rule: "lease.late-settlements-are-lost",
    bug: "accepts a late requeue while nobody has taken the job",
    queue: patientWith("requeue"),
  },
  {
    rule: "lease.late-settlements-are-lost",
    bug: "accepts a late fail while nobody has taken the job",
    queue: patientWith("fail"),
  },
  {
    rule: "lease.late-settlements-are-lost",
    bug: "accepts a late bury while nobody has taken the job",
    queue: patientWith("bury"),
  },
  {
    rule: "lease.late-touch-is-lost",
    bug: "accepts a late touch while nobody has taken the job",
    queue: made(
      class extends ReferenceQueue {
        override catchUp(): void {}

        override touch(items: readonly Touch[], now: number) {
          return super.touch(items, now - 10_000);
        }

        override take(params: Parameters<ReferenceQueue["take"]>[0], now: number) {
          super.catchUp(now);
          return super.take(params, now);
        }
      },
    ),
  },
  { rule: "lease.touch-extends", bug: "says yes to a touch and does nothing", queue: touches((left) => left) },
  {
    rule: "lease.touch-extends",
    bug: "extends all leases of the consumer",
    queue: made(
      class extends ReferenceQueue {
        protected override extend(_: Entry, item: Touch, now: number): void {
          for (const other of this.inState("leased")) super.extend(other, item, now);
        }
      },
    ),
  },
  {
    rule: "lease.touch-counts-from-now",
    bug: "adds a touch to what is left",
    queue: touches((left, _, lease) => left + lease),
  },
  {
    rule: "lease.touch-never-shortens",
    bug: "shortens a lease by a touch",
    queue: touches((_, now, lease) => now + lease),
  },
  {
    rule: "lease.of-its-own",
    bug: "gives every job of a queue the lease of the take",
    queue: made(
      class extends ReferenceQueue {
        protected override deliver(entry: Entry, now: number, lease: number): void {
          super.deliver(entry, now, lease);
          entry.lease = lease;
          entry.leaseUntil = now + lease;
        }
      },
    ),
  },
  {
    rule: "lease.skewed-consumer",
    bug: "goes by the clock of the consumer's machine",
    queue: leasesUntil(({ lease }) => systemClock.now() + lease),
  },
];
