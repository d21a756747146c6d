import type { PutOutcome } from "../../src/backend.ts";
import type { JobId, JobState, NewJob } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Forgets the keys of jobs in one state. */
function blindTo(state: JobState): () => ReferenceQueue {
  return () =>
    new (class extends ReferenceQueue {
      protected override heldKeys(): Map<string, JobId> {
        return new Map([...super.heldKeys()].filter(([, id]) => this.jobs.get(id)?.state !== state));
      }
    })();
}

/** Never frees the keys of jobs that were removed so. */
function keepsKeyAfter(how: "delete" | "expired"): () => ReferenceQueue {
  return () =>
    new (class extends ReferenceQueue {
      readonly #kept = new Map<string, JobId>();

      protected override remove(entry: Entry, counter: "delete" | "expired"): void {
        if (entry.key !== null && counter === how) this.#kept.set(entry.key, entry.id);
        super.remove(entry, counter);
      }

      protected override heldKeys(): Map<string, JobId> {
        return new Map([...this.#kept, ...super.heldKeys()]);
      }
    })();
}

class LosesKeyOnReturn extends ReferenceQueue {
  protected override giveBack(entry: Entry, delay?: number, now?: number): void {
    force(entry, { key: null });
    super.giveBack(entry, delay, now);
  }
}

class LosesKeyOnKick extends ReferenceQueue {
  protected override revive(entry: Entry, counter: "kick" | "dig"): void {
    force(entry, { key: null });
    super.revive(entry, counter);
  }
}

class DoneHoldsKey extends ReferenceQueue {
  protected override heldKeys(): Map<string, JobId> {
    return new Map([...this.jobs.values()].filter(({ key }) => key !== null).map(({ key, id }) => [key ?? "", id]));
  }
}

class SeesStoredKeysOnly extends ReferenceQueue {
  protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
    return jobs.flatMap((job) => super.plan([job], maxSize, partial));
  }
}

/** A duplicate of an earlier job of the put is not looked for in the queue. */
class LooksInThePutFirst extends ReferenceQueue {
  protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
    const outcomes = super.plan(jobs, maxSize, partial);
    return outcomes.map((outcome, index) => {
      const { key } = jobs[index]!;
      const earlier = jobs.findIndex((job, at) => key !== null && job.key === key && outcomes[at]?.status === "added");
      return outcome.status === "duplicate" && earlier >= 0 && earlier < index
        ? { ...outcome, id: jobs[earlier]!.id }
        : outcome;
    });
  }
}

class KeepsIdsOfDuplicates extends ReferenceQueue {
  readonly #kept = new Set<JobId>();

  protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
    const outcomes = super.plan(jobs, maxSize, partial).map((outcome, index): PutOutcome => {
      const { id } = jobs[index]!;
      return this.#kept.has(id) ? { status: "duplicate", id } : outcome;
    });
    for (const [index, { status }] of outcomes.entries()) if (status === "duplicate") this.#kept.add(jobs[index]!.id);
    return outcomes;
  }
}

class OverwritesHolder extends ReferenceQueue {
  protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
    const held = this.heldKeys();
    for (const { key, priority } of jobs) {
      const holder = key === null ? undefined : held.get(key);
      const entry = holder === undefined ? undefined : this.jobs.get(holder);
      if (entry !== undefined) force(entry, { priority });
    }
    return super.plan(jobs, maxSize, partial);
  }
}

/** Every duplicate is said to be of the newest job, not of the holder. */
class NamesAnyJob extends ReferenceQueue {
  protected override plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
    const outcomes = super.plan(jobs, maxSize, partial);
    return outcomes.map((outcome, index) =>
      outcome.status === "duplicate" ? { ...outcome, id: jobs[index]?.id ?? outcome.id } : outcome,
    );
  }
}

export const keys: readonly Mutant[] = [
  { rule: "keys.ready-job-holds", bug: "forgets the keys of ready jobs", queue: blindTo("ready") },
  {
    rule: "keys.ready-job-holds",
    bug: "answers a duplicate with the id of the new job",
    queue: () => new NamesAnyJob(),
  },
  { rule: "keys.delayed-job-holds", bug: "forgets the keys of delayed jobs", queue: blindTo("delayed") },
  { rule: "keys.leased-job-holds", bug: "forgets the keys of leased jobs", queue: blindTo("leased") },
  { rule: "keys.buried-job-holds", bug: "forgets the keys of buried jobs", queue: blindTo("buried") },
  { rule: "keys.buried-job-holds", bug: "drops the key when the job is kicked", queue: () => new LosesKeyOnKick() },
  {
    rule: "keys.returned-job-holds",
    bug: "drops the key when the job comes back",
    queue: () => new LosesKeyOnReturn(),
  },
  { rule: "keys.ack-frees", bug: "a done job still holds its key", queue: () => new DoneHoldsKey() },
  { rule: "keys.delete-frees", bug: "keeps the keys of deleted jobs", queue: keepsKeyAfter("delete") },
  { rule: "keys.ttl-frees", bug: "keeps the keys of expired jobs", queue: keepsKeyAfter("expired") },
  {
    rule: "keys.twice-in-one-put",
    bug: "looks for the key among stored jobs only",
    queue: () => new SeesStoredKeysOnly(),
  },
  {
    rule: "keys.id-before-key",
    bug: "does not look for the id of a duplicate of the same put",
    queue: () => new LooksInThePutFirst(),
  },
  {
    rule: "keys.id-before-key",
    bug: "takes the id of a duplicate for one that is stored",
    queue: () => new KeepsIdsOfDuplicates(),
  },
  {
    rule: "keys.duplicate-changes-nothing",
    bug: "gives the holder the duplicate's priority",
    queue: () => new OverwritesHolder(),
  },
  {
    rule: "keys.apart-by-queue",
    bug: "looks for the key in all queues",
    wrap: (backend) =>
      override(backend, {
        async put(params) {
          for (const queue of await backend.queues()) {
            const { jobs } = await backend.read({ queue, state: "ready", limit: 100, cursor: null });
            const holder = jobs.find(({ key }) => key !== null && key === params.jobs[0]?.key);
            if (holder !== undefined) return [{ status: "duplicate", id: holder.id }];
          }
          return backend.put(params);
        },
      }),
  },
];
