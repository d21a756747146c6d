import type { ReadParams, ReadResult, SettleOutcome, Settlement, Touch } from "../../src/backend.ts";
import type { JobState, NewJob } from "../../src/job.ts";
import { type Entry, stored } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Lists one state in another order. */
function lists(state: JobState, change: (entries: Entry[]) => Entry[]): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override read(params: ReadParams, now: number): ReadResult {
        if ("ids" in params || params.state !== state) return super.read(params, now);
        const all = change(this.listed(state));
        const from = Number(params.cursor ?? 0);
        const to = from + params.limit;
        return { jobs: all.slice(from, to).map(stored), cursor: to < all.length ? String(to) : null };
      }
    },
  );
}

const byId = (entries: Entry[]): Entry[] => entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** Leaves an entry with something of its old state. */
function leaves(change: (entry: Entry, old: Entry) => void): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      protected override become(entry: Entry, state: JobState): void {
        const old = { ...entry };
        super.become(entry, state);
        change(entry, old);
      }
    },
  );
}

export const read: readonly Mutant[] = [
  { rule: "read.pages-of-ready", bug: "lists ready jobs by id", queue: lists("ready", byId) },
  {
    rule: "read.pages-of-ready",
    bug: "skips the first job of each later page",
    wrap: (backend) =>
      override(backend, {
        async read(params) {
          const page = await backend.read(params);
          return "ids" in params || params.cursor === null ? page : { ...page, jobs: page.jobs.slice(1) };
        },
      }),
  },
  {
    rule: "read.pages-of-ready",
    bug: "ends after the first page",
    wrap: (backend) =>
      override(backend, { read: async (params) => ({ ...(await backend.read(params)), cursor: null }) }),
  },
  { rule: "read.pages-of-delayed", bug: "lists delayed jobs by id", queue: lists("delayed", byId) },
  {
    rule: "read.pages-of-leased",
    bug: "lists leased jobs in the order in which they were taken",
    queue: lists("leased", (entries) => entries.toSorted((a, b) => a.since - b.since)),
  },
  {
    rule: "read.pages-of-buried",
    bug: "lists the newest buried job first",
    queue: lists("buried", (entries) => entries.toReversed()),
  },
  { rule: "read.pages-of-done", bug: "lists done jobs by id", queue: lists("done", byId) },
  {
    rule: "read.by-ids",
    bug: "gives jobs in its own order",
    wrap: (backend) =>
      override(backend, {
        async read(params) {
          const { jobs, cursor } = await backend.read(params);
          return { jobs: "ids" in params ? jobs.toReversed() : jobs, cursor };
        },
      }),
  },
  {
    rule: "read.by-ids",
    bug: "finds jobs of other queues",
    wrap: (backend) =>
      override(backend, {
        async read(params) {
          if (!("ids" in params)) return backend.read(params);
          const all = await Promise.all((await backend.queues()).map((queue) => backend.read({ ...params, queue })));
          const jobs = new Map(all.flatMap((page) => page.jobs).map((one) => [one.id, one]));
          return { jobs: params.ids.map((id) => jobs.get(id)).filter((one) => one !== undefined), cursor: null };
        },
      }),
  },
  {
    rule: "read.new-job",
    bug: "loses the headers",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add({ ...job, headers: "" }, now);
        }
      },
    ),
  },
  {
    rule: "read.new-job",
    bug: "counts the TTL from the due time",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          const delay = job.due !== null && "in" in job.due ? job.due.in : 0;
          super.add({ ...job, ttl: job.ttl === null ? null : job.ttl + delay }, now);
        }
      },
    ),
  },
  {
    rule: "read.new-job",
    bug: "takes a moment for a delay",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add(job.due !== null && "at" in job.due ? { ...job, due: { in: job.due.at } } : job, now);
        }
      },
    ),
  },
  {
    rule: "read.due-job",
    bug: "leaves the due time when it is over",
    queue: leaves((entry, old) => (entry.dueAt ??= old.dueAt)),
  },
  {
    rule: "read.due-job",
    bug: "shows a due job as delayed until somebody takes",
    wrap: (backend) =>
      override(backend, {
        async read(params) {
          const page = await backend.read(params);
          const jobs = page.jobs.map((one) => (one.state === "ready" ? ({ ...one, state: "delayed" } as const) : one));
          return { ...page, jobs };
        },
      }),
  },
  {
    rule: "read.leased-job",
    bug: "shows the old end of the lease after a touch",
    queue: made(
      class extends ReferenceQueue {
        protected override extend(entry: Entry, touch: Touch, now: number): void {
          const { leaseUntil } = entry;
          super.extend(entry, touch, now);
          entry.leaseUntil = leaseUntil;
        }
      },
    ),
  },
  {
    rule: "read.leased-job",
    bug: "drops the progress",
    queue: made(
      class extends ReferenceQueue {
        protected override extend(entry: Entry, touch: Touch, now: number): void {
          super.extend(entry, { ...touch, progress: null }, now);
        }
      },
    ),
  },
  {
    rule: "read.returned-job",
    bug: "leaves the lease standing",
    queue: leaves((entry, old) => (entry.leaseUntil = entry.state === "delayed" ? old.leaseUntil : entry.leaseUntil)),
  },
  {
    rule: "read.returned-job",
    bug: "drops the error of an attempt",
    queue: made(
      class extends ReferenceQueue {
        protected override settleOne(entry: Entry, item: Settlement, now: number): SettleOutcome {
          const outcome = super.settleOne(entry, item, now);
          entry.lastError = null;
          return outcome;
        }
      },
    ),
  },
  {
    rule: "read.buried-job",
    bug: "keeps the reason when the job is dug up",
    queue: leaves((entry, old) => (entry.buryReason ??= old.state === "buried" ? "buried" : null)),
  },
  {
    rule: "read.buried-job",
    bug: "says `failed` whatever the reason",
    queue: leaves((entry) => {
      if (entry.buryReason !== null) entry.buryReason = "failed";
    }),
  },
  {
    rule: "read.changes-nothing",
    bug: "reading counts as an attempt",
    queue: made(
      class extends ReferenceQueue {
        override read(params: ReadParams, now: number): ReadResult {
          const result = super.read(params, now);
          for (const { id } of result.jobs) {
            const entry = this.jobs.get(id);
            if (entry !== undefined) force(entry, { attempt: entry.attempt + 1 });
          }
          return result;
        }
      },
    ),
  },
  {
    rule: "read.no-expired-job",
    bug: "reads jobs that are past their TTL",
    queue: made(
      class extends ReferenceQueue {
        protected override lifeIsOver(): boolean {
          return false;
        }
      },
    ),
  },
];
