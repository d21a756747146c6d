/** Our own, over any backend. */
import type { Backend } from "@pq/core/backend";
import { fixed, isPqError, type PutOptions, Queue, type QueueOptions } from "@pq/core";
import type { Payload } from "../payload.ts";
import type { Side, Target, Task, Work, WorkOptions } from "../side.ts";

/** A backend's part of a side. Called once for each producer and each worker. */
export type OpenBackend = (target: Target) => Promise<Backend>;

/** What a side does besides. */
export interface PqSideOptions {
  /** A client must read the queue before it can do anything with it: a worker does so when it is made, as it would once in its life. */
  readonly readsFirst?: boolean;
}

/** @pq over this backend. It has no settings that trade promises for speed: tuned and default are the same. */
export function pqSide(
  title: string,
  setup: string,
  open: OpenBackend,
  { readsFirst = false }: PqSideOptions = {},
): Side {
  const crowd = async (target: Target, options: WorkOptions, workers: number): Promise<Work> => {
    const queue = await openQueue(target, await open(target));
    if (readsFirst) await read(queue);
    return work(queue, options, workers);
  };
  return {
    title,
    setup,
    missing: {},
    producer: async (target) => {
      const backend = await open(target);
      const { maxBatch } = backend.capabilities;
      const queue = await openQueue(target, backend);
      return {
        put: (task) => queue.put(task.payload, optionsOf(task)),
        putMany: (tasks) => Promise.all(inParts(tasks, maxBatch).map((part) => putMany(queue, part))),
        size: () => queue.size(),
        close: () => queue.close(),
      };
    },
    worker: (target, options) => crowd(target, options, 1),
    crowd,
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

/** How long it may take to read a queue of a million jobs, in ms. */
const READING = 120_000;

/** Resolves once the queue has been read. A call that has no answer in time says nothing of the reading, which goes on: then it is asked again. */
async function read(queue: Queue<Payload>): Promise<void> {
  const end = performance.now() + READING;
  for (;;) {
    try {
      await queue.size();
      return;
    } catch (error) {
      if (!isPqError(error, "UNAVAILABLE") || performance.now() > end) throw error;
      console.error(`while the queue is read: ${error.message}`);
    }
  }
}

async function openQueue(target: Target, backend: Backend): Promise<Queue<Payload>> {
  const options: QueueOptions<Payload> = {
    backend,
    defaults: target.attempts === 1 ? {} : { maxAttempts: target.attempts, backoff: fixed(0) },
  };
  const queue = new Queue<Payload>(target.queue, options);
  queue.on("error", ({ error }) => console.error(error));
  await queue.ready();
  return queue;
}

function putMany(queue: Queue<Payload>, tasks: readonly Task[]): Promise<unknown> {
  return queue.putMany(
    tasks.map((task) => task.payload),
    isPlain(tasks[0]) ? undefined : (_payload, index) => optionsOf(tasks[index]!) ?? {},
  );
}

/** What is more than one call takes goes in several at once. */
function inParts(tasks: readonly Task[], most: number): (readonly Task[])[] {
  return Array.from({ length: Math.ceil(tasks.length / most) }, (_, i) => tasks.slice(i * most, (i + 1) * most));
}

function isPlain(task: Task | undefined): boolean {
  return task?.priority === undefined && task?.due === undefined && task?.group === undefined;
}

function optionsOf({ priority, due, group }: Task): PutOptions | undefined {
  if (group !== undefined) return { group };
  if (priority !== undefined) return { priority };
  return due === undefined ? undefined : { at: due };
}
