import type { Settlement } from "../../src/backend.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { comparePlaces } from "../../src/testing/reference/order.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, type PutInput, type TakeInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Sorts its jobs by another comparison. */
function sortedBy(compare: (a: Entry, b: Entry) => number): () => ReferenceQueue {
  return () =>
    new (class extends ReferenceQueue {
      override deliverable(): Entry[] {
        return super.deliverable().sort(compare);
      }
    })();
}

export const order: readonly Mutant[] = [
  {
    rule: "order.fifo",
    bug: "is a stack",
    queue: sortedBy((a, b) => comparePlaces(b, a)),
  },
  {
    rule: "order.array",
    bug: "stores the jobs of one put from the last to the first",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number) {
          return super.put({ ...params, jobs: params.jobs.toReversed() }, now);
        }
      },
    ),
  },
  {
    rule: "order.by-the-store",
    bug: "orders by the id that the client made",
    queue: sortedBy((a, b) => (a.id < b.id ? -1 : 1)),
  },
  {
    rule: "order.released-first",
    bug: "releases to the end",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number) {
          const outcome = super.settleOne(entry, item, now);
          if (item.type === "release") this.toTheEnd(entry);
          return outcome;
        }
      },
    ),
  },
  {
    rule: "order.returned-in-their-old-order",
    bug: "orders returned jobs by the time of their return",
    queue: made(
      class extends ReferenceQueue {
        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          super.giveBack(entry, delay, now);
          entry.position = this.nextPosition();
        }
      },
    ),
  },
  {
    rule: "order.expired-first",
    bug: "sends a job whose lease ran out to the end",
    queue: made(
      class extends ReferenceQueue {
        protected override expireLease(entry: Entry): void {
          super.expireLease(entry);
          this.toTheEnd(entry);
        }
      },
    ),
  },
  {
    rule: "order.retry-first",
    bug: "treats a retry that is due as a fresh job",
    queue: made(
      class extends ReferenceQueue {
        protected override fallDue(entry: Entry): void {
          entry.position = null;
          entry.returned = false;
          super.fallDue(entry);
        }
      },
    ),
  },
  {
    rule: "order.requeued-last",
    bug: "requeues like release",
    queue: made(
      class extends ReferenceQueue {
        protected override toTheEnd(entry: Entry): void {
          this.giveBack(entry);
        }
      },
    ),
  },
  {
    rule: "order.requeued-last",
    bug: "leaves a requeued job among the returned ones",
    queue: made(
      class extends ReferenceQueue {
        protected override toTheEnd(entry: Entry): void {
          super.toTheEnd(entry);
          entry.returned = true;
        }
      },
    ),
  },
  {
    rule: "order.requeued-keeps-its-new-place",
    bug: "brings a requeued job back to its first place",
    queue: made(
      class extends ReferenceQueue {
        readonly #first = new Map<Entry, number | null>();

        protected override giveBack(entry: Entry, delay?: number, now?: number): void {
          entry.position = this.#first.get(entry) ?? entry.position;
          super.giveBack(entry, delay, now);
        }

        protected override toTheEnd(entry: Entry): void {
          this.#first.set(entry, entry.position);
          super.toTheEnd(entry);
        }
      },
    ),
  },
  {
    rule: "order.fresh-after-returns",
    bug: "never forgets that a job was returned",
    queue: made(
      class extends ReferenceQueue {
        protected override toTheEnd(entry: Entry): void {
          const { returned } = entry;
          super.toTheEnd(entry);
          entry.returned = returned;
        }
      },
    ),
  },
  {
    rule: "order.a-batch-is-a-prefix",
    bug: "gives a batch from the end",
    queue: made(
      class extends ReferenceQueue {
        #limit = 1;

        override take(params: TakeInput, now: number) {
          this.#limit = params.limit;
          return super.take(params, now);
        }

        override deliverable(): Entry[] {
          return this.#limit === 1 ? super.deliverable() : super.deliverable().slice(-this.#limit);
        }
      },
    ),
  },
];
