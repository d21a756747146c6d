/** @boringnode/queue. Its acks are confirmed when the tracing channel of executions ends with `completed`. It needs Node 24. */
import type { TracingChannel } from "node:diagnostics_channel";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Producer, Side, Target, Task, Work, WorkOptions } from "../../queues/side.ts";

interface Dispatch {
  priority(value: number): Dispatch;
  run(): Promise<unknown>;
}

interface SingleDispatch extends Dispatch {
  in(delay: number): Dispatch;
}

interface JobClass {
  new (): { readonly payload: Payload };
  options: object;
  dispatch(payload: Payload): SingleDispatch;
  dispatchMany(payloads: readonly Payload[]): Dispatch;
}

interface Config {
  readonly default: string;
  readonly adapters: object;
  readonly locations: readonly string[];
  readonly worker: object;
  readonly logger: object;
}

interface LibraryWorker {
  init(): Promise<unknown>;
  start(queues: readonly string[]): Promise<unknown>;
  stop(): Promise<unknown>;
}

interface Module {
  readonly Job: JobClass;
  readonly Locator: { register(name: string, type: JobClass): void };
  readonly QueueManager: { init(config: Config): Promise<unknown> };
  readonly Worker: new (config: Config) => LibraryWorker;
  readonly tracingChannels: { readonly executeChannel: TracingChannel };
}

interface Driver {
  redis(connection: Connection): unknown;
}

interface Connection {
  quit(): Promise<unknown>;
}

interface Client {
  readonly Redis: new (url: string) => Connection;
}

/** What it is made of, and a connection of ours: its own would be closed whenever its one global manager is set up anew. */
interface Parts {
  readonly library: Module;
  readonly driver: Driver;
  readonly connection: Connection;
  readonly target: Target;
}

const SILENT = Object.fromEntries(
  ["trace", "debug", "info", "warn", "error", "child"].map((name) => [name, (): object => SILENT]),
) as Record<string, () => object>;

const UNDER_24 = Number(process.versions.node.split(".")[0]) < 24;
const TOO_OLD = "it needs Node 24 (start the clients with another one: PQ_BENCH_NODE)";

/** @boringnode/queue: everything is global in it, so a process has one producer and one worker. */
export async function side(): Promise<Side> {
  const title = `@boringnode/queue ${await peerVersion("@boringnode/queue")}`;
  const setup = "dispatchMany for many, completed jobs removed (its default), idleDelay 10 ms instead of 2 s: it polls";
  if (UNDER_24) {
    const never = async (): Promise<never> => Promise.reject(new Error(TOO_OLD));
    return { title, setup, missing: { worker: TOO_OLD }, producer: never, worker: never };
  }
  const library = await loadPeer<Module>("@boringnode/queue");
  const driver = await loadPeer<Driver>("@boringnode/queue/drivers/redis_adapter");
  const { Redis } = await loadPeer<Client>("ioredis");
  const parts = (target: Target): Parts => ({
    library,
    driver,
    target,
    connection: new Redis(target.url),
  });
  return {
    title,
    setup,
    missing: {},
    producer: async (target) => producer(parts(target)),
    worker: async (target, options) => work(parts(target), options),
  };
}

function configOf({ driver, connection, target: { tuned } }: Parts, concurrency: number): Config {
  return {
    default: "redis",
    adapters: { redis: driver.redis(connection) },
    locations: [],
    worker: { concurrency, gracefulShutdown: false, ...(tuned ? { idleDelay: 10 } : {}) },
    logger: SILENT,
  };
}

/** Its job is a class, and what a class does is given before it is registered. */
function jobClass({ library: { Job, Locator }, target }: Parts, handler?: WorkOptions["handler"]): JobClass {
  class BenchJob extends Job {
    static override options = { name: "bench", queue: target.queue, maxRetries: target.attempts - 1 };
    async execute(): Promise<void> {
      handler?.(this.payload);
    }
  }
  if (handler !== undefined) Locator.register("bench", BenchJob);
  return BenchJob;
}

async function producer(parts: Parts): Promise<Producer> {
  await parts.library.QueueManager.init(configOf(parts, 1));
  const type = jobClass(parts);
  const put = ({ payload, priority, due }: Task): Promise<unknown> => {
    const single = type.dispatch(payload);
    if (due !== undefined) return single.in(Math.max(1, Math.ceil(due - Date.now()))).run();
    return withPriority(single, priority).run();
  };
  return {
    put,
    putMany: async (tasks) => {
      // It has no call for many delayed jobs.
      if (tasks[0]?.due !== undefined) return Promise.all(tasks.map(put));
      for (const [priority, payloads] of byPriority(tasks)) {
        await withPriority(type.dispatchMany(payloads), priority).run();
      }
      return undefined;
    },
    close: () => parts.connection.quit(),
  };
}

/** A dispatch of many has one priority for all. */
function byPriority(tasks: readonly Task[]): Map<number | undefined, Payload[]> {
  const groups = new Map<number | undefined, Payload[]>();
  for (const { payload, priority } of tasks) {
    const group = groups.get(priority) ?? [];
    groups.set(priority, group);
    group.push(payload);
  }
  return groups;
}

/** Its priorities are best from 1 on. */
function withPriority(dispatch: Dispatch, priority: number | undefined): Dispatch {
  return priority === undefined ? dispatch : dispatch.priority(priority + 1);
}

async function work(parts: Parts, options: WorkOptions): Promise<Work> {
  const { library, connection, target } = parts;
  jobClass(parts, options.handler);
  const worker = new library.Worker(configOf(parts, options.concurrency));
  await worker.init();
  const ended = (message: object): void => {
    if ((message as { readonly status?: string }).status === "completed") options.acked();
  };
  const nothing = (): void => undefined;
  const listeners = { start: nothing, end: nothing, asyncStart: nothing, asyncEnd: ended, error: nothing };
  library.tracingChannels.executeChannel.subscribe(listeners);
  let ending: Promise<unknown> = Promise.resolve();
  return {
    start: () => {
      ending = worker.start([target.queue]).catch((error: unknown) => console.error(error));
    },
    close: async () => {
      await worker.stop();
      await ending;
      library.tracingChannels.executeChannel.unsubscribe(listeners);
      await connection.quit();
    },
  };
}
