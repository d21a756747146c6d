import type { Entry } from "../../src/testing/reference/entry.ts";
import { ReferenceQueue } from "../../src/testing/reference/queue.ts";
import { made, override, turn } from "./helpers.ts";
import type { Mutant } from "./mutant.ts";

/** Waiters hear of these jobs only. */
function hears(job: (entry: Entry) => boolean): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override available(): number {
        return this.deliverable().filter(job).length;
      }
    },
  );
}

/** Waiters are woken as for another number of jobs. */
function wakesFor(change: (jobs: number) => number): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override available(): number {
        return change(super.available());
      }
    },
  );
}

/** No alarm is set for these jobs. */
function sleepsThrough(job: (entry: Entry) => boolean): () => ReferenceQueue {
  return made(
    class extends ReferenceQueue {
      override nextMoment(): number | null {
        const moments = [...this.jobs.values()].filter((entry) => !job(entry));
        const times = moments.flatMap(({ dueAt, leaseUntil }) => dueAt ?? leaseUntil ?? []);
        return times.length === 0 ? null : Math.min(...times);
      }
    },
  );
}

export const wait: readonly Mutant[] = [
  {
    rule: "wait.returns-when-ready",
    bug: "does not look before it waits",
    wrap: (backend) =>
      override(backend, {
        async wait(params) {
          const { ready } = await backend.stats(params.queue);
          return backend.wait(ready > 0 ? { ...params, queue: "nobody puts here" } : params);
        },
      }),
  },
  { rule: "wait.put-wakes", bug: "a put wakes nobody", queue: hears(({ fence }) => fence > 0) },
  {
    rule: "wait.due-time-wakes",
    bug: "nobody looks when a job falls due",
    queue: sleepsThrough(({ state }) => state === "delayed"),
  },
  {
    rule: "wait.lease-expiry-wakes",
    bug: "nobody looks when a lease runs out",
    queue: sleepsThrough(({ state }) => state === "leased"),
  },
  { rule: "wait.return-wakes", bug: "a returned job wakes nobody", queue: hears(({ returned }) => !returned) },
  {
    rule: "wait.return-wakes",
    bug: "a requeued job wakes nobody",
    queue: hears(({ returned, fence }) => returned || fence === 0),
  },
  {
    rule: "wait.return-wakes",
    bug: "nobody looks when a retry falls due",
    queue: sleepsThrough(({ state, returned }) => state === "delayed" && returned),
  },
  {
    rule: "wait.kick-and-dig-wake",
    bug: "a revived job wakes nobody",
    queue: hears(({ attempt, fence }) => attempt > 0 || fence === 0),
  },
  { rule: "wait.freed-group-wakes", bug: "a freed group wakes nobody", queue: hears(({ group }) => group === null) },
  {
    rule: "wait.abort-resolves",
    bug: "rejects when it is aborted",
    wrap: (backend) =>
      override(backend, {
        async wait(params) {
          await backend.wait(params);
          params.signal.throwIfAborted();
        },
      }),
  },
  {
    rule: "wait.abort-resolves",
    bug: "does not look at the signal",
    wrap: (backend) =>
      override(backend, { wait: (params) => backend.wait({ ...params, signal: new AbortController().signal }) }),
  },
  {
    rule: "wait.abort-resolves",
    bug: "listens for the abort only, and misses one that was before",
    wrap: (backend) =>
      override(backend, {
        wait({ signal, ...params }) {
          const late = new AbortController();
          signal.addEventListener("abort", () => late.abort());
          return backend.wait({ ...params, signal: late.signal });
        },
      }),
  },
  {
    rule: "wait.timeout-resolves",
    bug: "waits without end",
    wrap: (backend) => override(backend, { wait: (params) => backend.wait({ ...params, timeout: 1e9 }) }),
  },
  { rule: "wait.one-put-no-herd", bug: "wakes everybody", queue: wakesFor((jobs) => jobs * 1_000) },
  {
    rule: "wait.as-many-as-jobs",
    bug: "wakes one for all jobs of a put",
    queue: wakesFor((jobs) => Math.min(jobs, 1)),
  },
  {
    rule: "wait.no-lost-wakeup",
    bug: "looks first, and listens a little later",
    wrap: (backend) =>
      override(backend, {
        async wait({ queue, signal }) {
          if ((await backend.stats(queue)).ready > 0) return;
          await turn();
          const puts = (await backend.stats(queue)).counters.put;
          while (!signal.aborted && (await backend.stats(queue)).counters.put === puts) await turn();
        },
      }),
  },
  {
    rule: "wait.who-left-is-not-woken",
    bug: "goes on waiting in the store for those who left",
    wrap: (backend) =>
      override(backend, {
        async wait(params) {
          const left = new Promise<void>((resolve) => params.signal.addEventListener("abort", () => resolve()));
          await Promise.race([left, backend.wait({ ...params, signal: new AbortController().signal })]);
        },
      }),
  },
  {
    rule: "wait.does-not-spin",
    bug: "comes back after a millisecond",
    wrap: (backend) => override(backend, { wait: (params) => backend.wait({ ...params, timeout: 1 }) }),
  },
  {
    rule: "wait.does-not-spin",
    bug: "comes back at once while jobs are delayed",
    wrap: (backend) =>
      override(backend, {
        async wait(params) {
          if ((await backend.stats(params.queue)).delayed === 0) await backend.wait(params);
        },
      }),
  },
  {
    rule: "wait.does-not-spin",
    bug: "comes back at once while a busy group has ready members",
    queue: made(
      class extends ReferenceQueue {
        override available(): number {
          return this.inState("ready").length;
        }
      },
    ),
  },
  {
    rule: "wait.holds-up-no-call",
    bug: "sends its waits and its other calls over one line, one after the other",
    wrap(backend) {
      let waiting: Promise<unknown> = Promise.resolve();
      return override(backend, {
        wait: (params) => {
          const wait = backend.wait(params);
          waiting = Promise.all([waiting, wait]);
          return wait;
        },
        put: (params) => waiting.then(() => backend.put(params)),
      });
    },
  },
  {
    rule: "wait.many-queues",
    bug: "waits for one queue at a time",
    wrap(backend) {
      let before = Promise.resolve();
      return override(backend, { wait: (params) => (before = before.then(() => backend.wait(params))) });
    },
  },
];
