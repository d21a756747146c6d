/** BullMQ. Its acks are confirmed when the worker tells `completed`. */
import { addressOf } from "../address.ts";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Side, Target, Task, Work, WorkOptions } from "../../queues/side.ts";

interface JobOptions {
  readonly priority?: number;
  readonly delay?: number;
  readonly attempts?: number;
  readonly removeOnComplete?: boolean;
  readonly removeOnFail?: boolean;
}

interface BullQueue {
  add(name: string, data: Payload, options?: JobOptions): Promise<unknown>;
  addBulk(jobs: readonly { name: string; data: Payload; opts: JobOptions }[]): Promise<unknown>;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<unknown>;
}

interface BullWorker {
  on(event: string, listener: (error: unknown) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  run(): Promise<unknown>;
  close(): Promise<unknown>;
}

type Processor = (job: { readonly data: Payload }) => Promise<void>;

interface Module {
  readonly Queue: new (name: string, options: object) => BullQueue;
  readonly Worker: new (name: string, processor: Processor, options: object) => BullWorker;
}

/** BullMQ with ioredis, its first-choice client. */
export async function side(): Promise<Side> {
  const { Queue, Worker } = await loadPeer<Module>("bullmq");
  return {
    title: `BullMQ ${await peerVersion("bullmq")}`,
    setup: "addBulk for many, removeOnComplete, no metrics, no QueueEvents",
    missing: {},
    producer: async (target) => {
      const queue = new Queue(target.queue, { connection: addressOf(target.url) });
      await queue.waitUntilReady();
      return {
        put: (task) => queue.add("job", task.payload, jobOptions(target, task)),
        putMany: (tasks) =>
          queue.addBulk(tasks.map((task) => ({ name: "job", data: task.payload, opts: jobOptions(target, task) }))),
        close: () => queue.close(),
      };
    },
    worker: (target, options) => work(Worker, target, options),
  };
}

async function work(Worker: Module["Worker"], target: Target, options: WorkOptions): Promise<Work> {
  const worker = new Worker(target.queue, async (job) => options.handler(job.data), {
    connection: { ...addressOf(target.url), maxRetriesPerRequest: null },
    concurrency: options.concurrency,
    autorun: false,
    ...(target.tuned ? { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } } : {}),
  });
  worker.on("completed", options.acked);
  worker.on("error", (error) => console.error(error));
  await worker.waitUntilReady();
  return {
    start: () => void worker.run().catch((error: unknown) => console.error(error)),
    close: () => worker.close(),
  };
}

/** Its priorities begin at 1; 0 means none. */
function jobOptions({ tuned, attempts }: Target, { priority, due }: Task): JobOptions {
  return {
    ...(priority === undefined ? {} : { priority: priority + 1 }),
    ...(due === undefined ? {} : { delay: Math.max(0, Math.ceil(due - Date.now())) }),
    ...(attempts === 1 ? {} : { attempts }),
    ...(tuned ? { removeOnComplete: true, removeOnFail: true } : {}),
  };
}
