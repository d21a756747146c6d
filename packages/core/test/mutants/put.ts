import type { PutOutcome } from "../../src/backend.ts";
import { newRequestId } from "../../src/id.ts";
import type { JobId, NewJob, RequestId } from "../../src/job.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { force, forgetful, made, override, type PutInput } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

export const put: readonly Mutant[] = [
  {
    rule: "put.is-there-for-the-next-take",
    bug: "answers before it stores",
    queue: made(
      class extends ReferenceQueue {
        readonly #late: NewJob[] = [];

        protected override add(job: NewJob): void {
          this.#late.push(job);
        }

        override take(params: Parameters<ReferenceQueue["take"]>[0], now: number) {
          const jobs = super.take(params, now);
          for (const job of this.#late.splice(0)) super.add(job, now);
          return jobs;
        }
      },
    ),
  },
  {
    rule: "put.tells-id-and-status",
    bug: "answers a known id with a new one",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number) {
          return super.put(params, now).map((): PutOutcome => ({ status: "added" }));
        }
      },
    ),
  },
  {
    rule: "put.known-id-is-a-duplicate",
    bug: "looks for ids among the ready jobs only",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number) {
          for (const { id } of params.jobs) if (this.jobs.get(id)?.state !== "ready") this.jobs.delete(id);
          return super.put(params, now);
        }
      },
    ),
  },
  {
    rule: "put.repeated-call",
    bug: "takes a repetition for a new call",
    wrap: forgetful("put"),
  },
  {
    rule: "put.repeated-after-the-ack",
    bug: "knows a repeated put by the ids in the queue only",
    wrap: forgetful("put"),
  },
  {
    rule: "put.repeated-late",
    bug: "remembers the last 64 calls",
    wrap(backend) {
      const recent: RequestId[] = [];
      return override(backend, {
        put(params) {
          const known = recent.indexOf(params.request);
          recent.push(params.request);
          const forgotten = known !== -1 && known < recent.length - 64;
          return backend.put(forgotten ? { ...params, request: newRequestId() } : params);
        },
      });
    },
  },
  {
    rule: "put.answers-in-order",
    bug: "answers for the added jobs first",
    queue: made(
      class extends ReferenceQueue {
        override put(params: PutInput, now: number) {
          return super.put(params, now).toSorted((a, b) => (a.status < b.status ? -1 : 1));
        }
      },
    ),
  },
  {
    rule: "put.keeps-its-own-copy",
    bug: "keeps the caller's bytes",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add(job, now);
          force(this.jobs.get(job.id), { payload: job.payload });
        }
      },
    ),
  },
  {
    rule: "put.stores-every-field",
    bug: "drops the headers",
    queue: made(
      class extends ReferenceQueue {
        protected override add(job: NewJob, now: number): void {
          super.add({ ...job, headers: "" }, now);
        }
      },
    ),
  },
  {
    rule: "put.ended-id-is-free",
    bug: "remembers ids for ever",
    queue: made(
      class extends ReferenceQueue {
        readonly #used = new Set<JobId>();

        override put(params: PutInput, now: number) {
          const outcomes = super.put({ ...params, jobs: params.jobs.filter(({ id }) => !this.#used.has(id)) }, now);
          for (const { id } of params.jobs) this.#used.add(id);
          return outcomes;
        }
      },
    ),
  },
];
