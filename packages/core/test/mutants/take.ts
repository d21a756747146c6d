import type { DeliveredJob } from "../../src/job.ts";
import { delivered } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { forgetful, made, override, type TakeInput, turn } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

export const take: readonly Mutant[] = [
  {
    rule: "take.nothing",
    bug: "gives a leased job once more when no other is left",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number) {
          const jobs = super.take(params, now);
          return jobs.length > 0 ? jobs : this.inState("leased").slice(0, params.limit).map(delivered);
        }
      },
    ),
  },
  {
    rule: "take.limit",
    bug: "gives one job, whatever it is asked for",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number) {
          return super.take({ ...params, limit: 1 }, now);
        }
      },
    ),
  },
  {
    rule: "take.limit",
    bug: "gives all it has",
    queue: made(
      class extends ReferenceQueue {
        override take(params: TakeInput, now: number) {
          return super.take({ ...params, limit: Infinity }, now);
        }
      },
    ),
  },
  {
    rule: "take.each-job-once",
    bug: "finds jobs in one step and leases them in the next",
    wrap: (backend) =>
      override(backend, {
        async take(params) {
          const { queue, limit } = params;
          const found = await backend.read({ queue, state: "ready", limit, cursor: null });
          await turn();
          await backend.take(params);
          return found.jobs.map((job): DeliveredJob => ({ ...job, lease: params.lease }));
        },
      }),
  },
  {
    rule: "take.delivers-what-was-put",
    bug: "keeps payloads as text",
    wrap: (backend) =>
      override(backend, {
        async take(params) {
          const jobs = await backend.take(params);
          return jobs.map((job) => ({ ...job, payload: Buffer.from(Buffer.from(job.payload).toString()) }));
        },
      }),
  },
  {
    rule: "take.repeated-call",
    bug: "takes more when a take is repeated",
    wrap: forgetful("take"),
  },
  {
    rule: "take.repeated-in-part",
    bug: "answers a repeated take from memory",
    queue: made(
      class extends ReferenceQueue {
        readonly #answers = new Map<string, DeliveredJob[]>();

        override take(params: TakeInput, now: number) {
          const jobs = this.#answers.get(params.request) ?? super.take(params, now);
          if (jobs.length > 0) this.#answers.set(params.request, jobs);
          return jobs;
        }
      },
    ),
  },
  {
    rule: "take.repeated-after-nothing",
    bug: "remembers that it had nothing",
    queue: made(
      class extends ReferenceQueue {
        readonly #empty = new Set<string>();

        override take(params: TakeInput, now: number) {
          const jobs = this.#empty.has(params.request) ? [] : super.take(params, now);
          if (jobs.length === 0) this.#empty.add(params.request);
          return jobs;
        }
      },
    ),
  },
  {
    rule: "take.its-own-queue",
    bug: "keeps all queues in one",
    wrap: (backend) =>
      override(backend, {
        put: (params) => backend.put({ ...params, queue: "all" }),
        take: (params) => backend.take({ ...params, queue: "all" }),
      }),
  },
];
