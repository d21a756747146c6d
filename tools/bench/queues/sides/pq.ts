/** Our own, over any backend. */
import type { Backend } from "@pq/core/backend";
import { fixed, Queue, type QueueOptions } from "@pq/core";
import type { Payload } from "../payload.ts";
import type { Side, Target, Task, Work, WorkOptions } from "../side.ts";

/** A backend's part of a side. Called once for each producer and each worker. */
export type OpenBackend = (target: Target) => Promise<Backend>;

/** @pq over this backend. It has no settings that trade promises for speed: tuned and default are the same. */
export function pqSide(title: string, setup: string, open: OpenBackend): Side {
  return {
    title,
    setup,
    missing: {},
    producer: async (target) => {
      const queue = await openQueue(target, open);
      return {
        put: (task) => queue.put(task.payload, optionsOf(task)),
        putMany: (tasks) =>
          queue.putMany(
            tasks.map((task) => task.payload),
            isPlain(tasks[0]) ? undefined : (_payload, index) => optionsOf(tasks[index]!) ?? {},
          ),
        close: () => queue.close(),
      };
    },
    worker: async (target, options) => work(await openQueue(target, open), options, 1),
    crowd: async (target, options, workers) => work(await openQueue(target, open), options, workers),
  };
}

function work(queue: Queue<Payload>, { concurrency, handler, acked }: WorkOptions, workers: number): Work {
  return {
    start: () => {
      for (let i = 0; i < workers; i++) {
        queue.work((job) => handler(job.payload), { concurrency }).on("completed", acked);
      }
    },
    close: () => queue.close(),
  };
}

async function openQueue(target: Target, open: OpenBackend): Promise<Queue<Payload>> {
  const options: QueueOptions<Payload> = {
    backend: await open(target),
    defaults: target.attempts === 1 ? {} : { maxAttempts: target.attempts, backoff: fixed(0) },
  };
  const queue = new Queue<Payload>(target.queue, options);
  queue.on("error", ({ error }) => console.error(error));
  await queue.ready();
  return queue;
}

function isPlain(task: Task | undefined): boolean {
  return task?.priority === undefined && task?.due === undefined;
}

function optionsOf({ priority, due }: Task): { readonly priority?: number; readonly at?: number } | undefined {
  if (priority !== undefined) return { priority };
  return due === undefined ? undefined : { at: due };
}
