import type { Backend } from "../../src/backend.ts";
import type { JobId, RequestId } from "../../src/job.ts";
import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { newRequestId } from "../../src/id.ts";
import { force, made, override } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** What becomes of each job in a restart. */
function jobsRestart(change: (entry: Entry, jobs: Map<JobId, Entry>) => void): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override restarted(): void {
        for (const entry of this.jobs.values()) change(entry, this.jobs);
      }
    },
  );
}

/** Remembers calls for as long as its connection lasts. */
function remembersInTheConnection(backend: Backend): Backend {
  const own = new Map<RequestId, RequestId>();
  const request = (given: RequestId): RequestId => {
    const known = own.get(given) ?? newRequestId();
    own.set(given, known);
    return known;
  };
  return override(backend, {
    put: (params) => backend.put({ ...params, request: request(params.request) }),
    settle: (params) => backend.settle({ ...params, request: request(params.request) }),
  });
}

export const restart: readonly Mutant[] = [
  {
    rule: "restart.keeps-jobs",
    bug: "loses the newest job",
    queue: made(
      class extends ReferenceQueue {
        override restarted(): void {
          const newest = [...this.jobs.keys()].at(-1);
          if (newest !== undefined) this.jobs.delete(newest);
        }
      },
    ),
  },
  {
    rule: "restart.keeps-jobs",
    bug: "gives positions anew from the first",
    queue: made(
      class extends ReferenceQueue {
        override restarted(): void {
          this.lastPosition = 0;
        }
      },
    ),
  },
  {
    rule: "restart.keeps-jobs",
    bug: "forgets why a job was buried",
    queue: jobsRestart((entry) => force(entry, { buryReason: null })),
  },
  {
    rule: "restart.keeps-delays",
    bug: "makes every delayed job ready",
    queue: jobsRestart((entry) => {
      if (entry.state === "delayed") force(entry, { state: "ready", dueAt: null, position: 1 });
    }),
  },
  {
    rule: "restart.keeps-delays",
    bug: "loses delayed jobs",
    queue: jobsRestart((entry, jobs) => {
      if (entry.state === "delayed") jobs.delete(entry.id);
    }),
  },
  {
    rule: "restart.keeps-leases-or-attempts",
    bug: "gives leased jobs back and forgets their attempts",
    queue: jobsRestart((entry) => {
      if (entry.state === "leased") force(entry, { state: "ready", attempt: 0, leaseUntil: null });
    }),
  },
  {
    rule: "restart.keeps-leases-or-attempts",
    bug: "gives leased jobs back, and the attempt too",
    queue: jobsRestart((entry) => {
      if (entry.state === "leased") force(entry, { state: "ready", attempt: entry.attempt - 1, leaseUntil: null });
    }),
  },
  {
    rule: "restart.keeps-leases-or-attempts",
    bug: "counts fences from the first again",
    queue: made(
      class extends ReferenceQueue {
        override restarted(): void {
          this.lastFence = 0;
        }
      },
    ),
  },
  {
    rule: "restart.keeps-keys",
    bug: "forgets keys",
    queue: jobsRestart((entry) => force(entry, { key: null })),
  },
  {
    rule: "restart.keeps-results",
    bug: "forgets results",
    queue: jobsRestart((entry) => force(entry, { result: null })),
  },
  {
    rule: "restart.keeps-what-is-over",
    bug: "brings acked jobs back",
    queue: made(
      class extends ReferenceQueue {
        readonly #acked: Entry[] = [];

        protected override ack(entry: Entry, result: Uint8Array | null, now: number) {
          this.#acked.push(entry);
          return super.ack(entry, result, now);
        }

        override restarted(): void {
          for (const entry of this.#acked) {
            this.jobs.set(entry.id, entry);
            this.giveBack(entry);
          }
        }
      },
    ),
  },
  {
    rule: "restart.answers-repetitions",
    bug: "remembers calls in the connection",
    wrap: remembersInTheConnection,
  },
];
