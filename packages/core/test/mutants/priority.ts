import type { Entry } from "../../src/testing/reference/entry.ts";
import { comparePlaces } from "../../src/testing/reference/order.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, type TakeInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Sorts by another number than the priority, then as it should. */
function rankedBy(rank: (entry: Entry) => number | string, ties = comparePlaces): () => ReferenceQueue {
  const compare = (a: Entry, b: Entry): number => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : ties(a, b));
  return () =>
    new (class extends ReferenceQueue {
      override deliverable(): Entry[] {
        return super.deliverable().sort(compare);
      }
    })();
}

export const priority: readonly Mutant[] = [
  {
    rule: "priority.lower-is-sooner",
    bug: "serves the highest number first",
    queue: rankedBy(({ priority }) => -priority),
  },
  {
    rule: "priority.extremes",
    bug: "orders priorities as texts",
    queue: rankedBy(({ priority }) => String(priority)),
  },
  {
    rule: "priority.extremes",
    bug: "orders priorities without their sign",
    queue: rankedBy(({ priority }) => priority >>> 0),
  },
  {
    rule: "priority.fifo-at-the-extremes",
    bug: "packs priority and position into one floating-point score, and breaks ties by id",
    queue: rankedBy(
      ({ priority, position }) => priority * 2 ** 40 + (position ?? 0),
      (a, b) => (a.id < b.id ? -1 : 1),
    ),
  },
  {
    rule: "priority.later-put-overtakes",
    bug: "serves a list that it read before, to its end",
    queue: made(
      class extends ReferenceQueue {
        #list: Entry[] = [];

        override deliverable(): Entry[] {
          this.#list = this.#list.filter(({ state }) => state === "ready");
          if (this.#list.length === 0) this.#list = super.deliverable();
          return this.#list;
        }
      },
    ),
  },
  {
    rule: "priority.in-one-take",
    bug: "gives the jobs of one take in the order of their positions",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number) {
          const place = new Map([...this.jobs.values()].map(({ id, position }) => [id, position ?? 0]));
          return super.take(params, now).sort((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
        }
      },
    ),
  },
  {
    rule: "priority.kept-through-returns",
    bug: "puts returned jobs before all others",
    queue: rankedBy(({ returned }) => (returned ? 0 : 1)),
  },
  {
    rule: "priority.kept-through-delay",
    bug: "puts a job that falls due before all others",
    queue: made(
      class extends ReferenceQueue {
        protected override fallDue(entry: Entry): void {
          super.fallDue(entry);
          entry.urgent = true;
        }
      },
    ),
  },
  {
    rule: "priority.no-waiting-ahead",
    bug: "once it has settled a job, forgets priorities",
    queue: made(
      class extends ReferenceQueue {
        override deliverable(): Entry[] {
          const jobs = super.deliverable();
          return this.counters.ack === 0 ? jobs : jobs.sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
        }
      },
    ),
  },
];
