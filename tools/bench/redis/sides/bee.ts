/** bee-queue. Its acks are confirmed when the worker's queue tells `succeeded`. */
import { addressOf } from "../address.ts";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Producer, Side, Target, Task, Work, WorkOptions } from "../../queues/side.ts";

interface BeeJob {
  retries(count: number): BeeJob;
  delayUntil(time: number): BeeJob;
  save(): Promise<unknown>;
}

interface BeeQueue {
  ready(): Promise<unknown>;
  createJob(data: Payload): BeeJob;
  saveAll(jobs: readonly BeeJob[]): Promise<ReadonlyMap<BeeJob, Error>>;
  process(concurrency: number, handler: (job: { readonly data: Payload }) => Promise<void>): unknown;
  checkStalledJobs(interval: number): Promise<unknown>;
  on(event: string, listener: (about: unknown) => void): unknown;
  close(timeout?: number): Promise<unknown>;
}

interface Module {
  readonly default: new (name: string, settings: object) => BeeQueue;
}

const QUIET = { getEvents: false, sendEvents: false, storeJobs: false };

/** bee-queue with what its README says to turn off. */
export async function side(): Promise<Side> {
  const { default: Bee } = await loadPeer<Module>("bee-queue");
  return {
    title: `bee-queue ${await peerVersion("bee-queue")}`,
    setup:
      "isWorker (producer), getEvents, sendEvents and storeJobs off, removeOnSuccess, saveAll for many, delayedDebounce 1",
    missing: { priority: "it has no priorities" },
    producer: async (target) => producer(Bee, target),
    worker: async (target, options) => work(Bee, target, options),
  };
}

async function producer(Bee: Module["default"], target: Target): Promise<Producer> {
  const queue = new Bee(target.queue, { ...settings(target), ...(target.tuned ? { isWorker: false } : {}) });
  await queue.ready();
  const made = ({ payload, due }: Task): BeeJob => {
    const job = queue.createJob(payload);
    if (target.attempts > 1) job.retries(target.attempts - 1);
    return due === undefined ? job : job.delayUntil(due);
  };
  return {
    put: (task) => made(task).save(),
    putMany: async (tasks) => {
      for (const error of (await queue.saveAll(tasks.map(made))).values()) throw error;
    },
    close: () => queue.close(),
  };
}

async function work(Bee: Module["default"], target: Target, options: WorkOptions): Promise<Work> {
  const queue = new Bee(target.queue, {
    ...settings(target),
    ...(target.tuned ? { removeOnSuccess: true, delayedDebounce: 1 } : {}),
    ...(target.delays ? { activateDelayedJobs: true } : {}),
  });
  queue.on("succeeded", options.acked);
  queue.on("error", (error) => console.error(error));
  await queue.ready();
  return {
    start: () => {
      queue.process(options.concurrency, async (job) => options.handler(job.data));
      // Without it nobody takes back what a dead worker held: the promise that the others keep by default.
      void queue.checkStalledJobs(5000).catch((error: unknown) => console.error(error));
    },
    close: () => queue.close(),
  };
}

function settings({ url, tuned }: Target): object {
  return { redis: addressOf(url), ...(tuned ? QUIET : {}) };
}
