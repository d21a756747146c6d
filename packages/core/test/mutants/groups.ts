import type { Entry } from "../../src/testing/reference/entry.ts";
import { comparePlaces, deliverable } from "../../src/testing/reference/order.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import type { NewJob } from "../../src/job.ts";
import { force, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Finds what to deliver in a way of its own. */
function delivers(find: (entries: readonly Entry[], queue: ReferenceQueue) => Entry[]): () => ReferenceQueue {
  return () =>
    new (class extends ReferenceQueue {
      override deliverable(): Entry[] {
        return this.paused ? [] : find([...this.jobs.values()], this);
      }
    })();
}

/** The first ready member of each group by its place, so by priority, instead of its head. */
function headsByPriority(entries: readonly Entry[]): Entry[] {
  const ready = entries.filter(({ state }) => state === "ready").toSorted(comparePlaces);
  const busy = new Set(entries.filter(({ state }) => state === "leased").map(({ group }) => group));
  return ready.filter(
    (entry, index) =>
      entry.group === null ||
      (!busy.has(entry.group) && ready.findIndex(({ group }) => group === entry.group) === index),
  );
}

class ReturnsToTheEnd extends ReferenceQueue {
  protected override giveBack(entry: Entry, delay?: number, now?: number): void {
    entry.position = this.nextPosition();
    super.giveBack(entry, delay, now);
  }
}

class ExpiresToTheEnd extends ReferenceQueue {
  protected override expireLease(entry: Entry): void {
    entry.position = this.nextPosition();
    super.expireLease(entry);
  }
}

class DeletedStaysHead extends ReferenceQueue {
  readonly #stuck = new Set<string>();

  protected override remove(entry: Entry, counter: "delete" | "expired"): void {
    if (entry.group !== null && entry.state === "leased") this.#stuck.add(entry.group);
    super.remove(entry, counter);
  }

  override deliverable(): Entry[] {
    return super.deliverable().filter(({ group }) => group === null || !this.#stuck.has(group));
  }
}

class DelayedHasPlace extends ReferenceQueue {
  protected override add(job: NewJob, now: number): void {
    super.add(job, now);
    const entry = this.jobs.get(job.id);
    if (entry?.state === "delayed") entry.position = this.nextPosition();
  }
}

class UrgentAtTheEnd extends ReferenceQueue {
  protected override add(job: NewJob, now: number): void {
    super.add(job, now);
    const entry = this.jobs.get(job.id);
    if (entry !== undefined && job.group !== null) entry.position = this.nextPosition();
  }
}

/** A lease given in this very moment is not seen yet by another take. */
class SeesLeasesLate extends ReferenceQueue {
  #now = 0;

  override catchUp(now: number): void {
    this.#now = now;
    super.catchUp(now);
  }

  override deliverable(): Entry[] {
    const fresh = (entry: Entry): boolean => entry.leaseUntil === this.#now + entry.lease;
    return deliverable([...this.jobs.values()].filter((entry) => !fresh(entry)));
  }
}

class ForgetsLeasedGroups extends ReferenceQueue {
  override restarted(): void {
    for (const entry of this.inState("leased")) force(entry, { group: null });
  }
}

export const groups: readonly Mutant[] = [
  {
    rule: "groups.one-at-a-time",
    bug: "does not hold back a group while a member is leased",
    queue: delivers((entries) => deliverable(entries.filter(({ state }) => state !== "leased"))),
  },
  {
    rule: "groups.batch-takes-one-of-each",
    bug: "a take of many gives all members of a free group",
    queue: delivers((entries) => {
      const free = new Set(deliverable(entries).map(({ group }) => group));
      return entries.filter(({ state, group }) => state === "ready" && free.has(group)).toSorted(comparePlaces);
    }),
  },
  {
    rule: "groups.batch-takes-one-of-each",
    bug: "gives all ungrouped jobs before the groups",
    queue: delivers((entries) =>
      deliverable(entries).toSorted((a, b) => Number(a.group !== null) - Number(b.group !== null)),
    ),
  },
  { rule: "groups.order-across-release", bug: "a released member goes to the end", queue: () => new ReturnsToTheEnd() },
  {
    rule: "groups.order-across-lease-expiry",
    bug: "an expired member goes to the end",
    queue: () => new ExpiresToTheEnd(),
  },
  {
    rule: "groups.retry-holds-back",
    bug: "a member that waits for its retry is passed over",
    queue: delivers((entries) => deliverable(entries.filter(({ state }) => state !== "delayed"))),
  },
  {
    rule: "groups.delayed-release-holds-back",
    bug: "a member released with a delay is passed over",
    queue: delivers((entries) =>
      deliverable(entries.filter(({ state, lastError }) => state !== "delayed" || lastError !== null)),
    ),
  },
  {
    rule: "groups.buried-head-frees",
    bug: "a buried member blocks its group",
    queue: delivers((entries) => {
      const buried = new Set(entries.filter(({ state }) => state === "buried").map(({ group }) => group));
      return deliverable(entries).filter(({ group }) => !buried.has(group));
    }),
  },
  {
    rule: "groups.deleted-head-frees",
    bug: "a deleted leased member blocks its group",
    queue: () => new DeletedStaysHead(),
  },
  {
    rule: "groups.delayed-put-has-no-place",
    bug: "a delayed member takes its place with the put",
    queue: () => new DelayedHasPlace(),
  },
  {
    rule: "groups.priority-does-not-overtake",
    bug: "the head is the member of the lowest priority number",
    queue: delivers(headsByPriority),
  },
  {
    rule: "groups.returned-before-freed",
    bug: "goes by position alone",
    queue: delivers((entries) =>
      deliverable(entries).toSorted((a, b) => a.priority - b.priority || (a.position ?? 0) - (b.position ?? 0)),
    ),
  },
  {
    rule: "groups.urgent-member-is-head",
    bug: "an urgent member is the last of its group",
    queue: () => new UrgentAtTheEnd(),
  },
  {
    rule: "groups.busy-group-blocks-no-other",
    bug: "looks at the first 1,000 ready jobs only",
    queue: delivers((entries) => {
      const near = entries
        .filter(({ state }) => state === "ready")
        .toSorted(comparePlaces)
        .slice(0, 1_000);
      return deliverable([...near, ...entries.filter(({ state }) => state === "leased")]);
    }),
  },
  { rule: "groups.racing-consumers", bug: "sees a lease only in the next moment", queue: () => new SeesLeasesLate() },
  {
    rule: "groups.apart-by-queue",
    bug: "a group is busy in all queues at once",
    wrap: (backend) =>
      override(backend, {
        async take(params) {
          for (const queue of await backend.queues()) {
            const { jobs } = await backend.read({ queue, state: "leased", limit: 100, cursor: null });
            if (queue !== params.queue && jobs.some(({ group }) => group !== null)) return [];
          }
          return backend.take(params);
        },
      }),
  },
  { rule: "groups.kept-by-restart", bug: "forgets which groups are busy", queue: () => new ForgetsLeasedGroups() },
];
