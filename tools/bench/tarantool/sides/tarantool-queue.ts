/**
 * tarantool/queue, a rock of the server, by tarantool-driver. Its acks are confirmed by their answers. Workers are the user's own: here as many loops of take
 * and ack as the concurrency, over one connection; a take waits on the server. There is no call for many jobs: those of one go in pipelines of the driver.
 *
 * The driver stops for good, or gives an answer twice, when answers come in pieces while others are in flight. With short answers that does not happen;
 * with jobs of 10 KB it does.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Producer, Side, Target, Task, Work, WorkOptions } from "../../queues/side.ts";
import { queueFolder } from "../server.ts";

interface Driver {
  connect(): Promise<unknown>;
  call(name: string, ...args: readonly unknown[]): Promise<readonly unknown[]>;
  eval(lua: string, ...args: readonly unknown[]): Promise<unknown>;
  pipeline(): Pipeline;
  disconnect(): void;
}

interface Pipeline {
  call(name: string, ...args: readonly unknown[]): Pipeline;
  exec(): Promise<readonly (readonly [unknown, unknown])[]>;
}

interface Module {
  readonly default: new (options: object) => Driver;
}

/** A task as it is answered: its number, its state, its data. */
type Found = readonly [number, string, string];

/** Calls in one pipeline: what it takes to add one grows with their number. */
const PIPELINE = 100;

/** In seconds: how long a take waits, and how long a taken task may be worked on. */
const WAIT = 60;
const TTR = 30;

const ABSENT = "PQ_TARANTOOL_QUEUE is not set: the folder of tarantool/queue, which has queue/init.lua";

/** tarantool/queue, if the server has it. */
export async function side(): Promise<Side> {
  const folder = queueFolder();
  const version = folder === undefined ? "" : versionIn(folder);
  const title = `tarantool/queue ${version}`.trim();
  const { default: Connection } = await loadPeer<Module>("tarantool-driver");
  const open = async (target: Target): Promise<Driver> => {
    const { hostname, port, username, password } = new URL(target.url);
    const driver = new Connection({ host: hostname, port: Number(port), username, password, lazyConnect: true });
    await driver.connect();
    await driver.eval("queue.create_tube(...)", target.queue, ...tubeOf(target));
    return driver;
  };
  const crowd = async (target: Target, options: WorkOptions, workers: number): Promise<Work> =>
    work(await open(target), target, { ...options, concurrency: options.concurrency * workers });
  return {
    title,
    setup: `fifottl with a ttr of ${TTR} s; for groups utube with the storage mode ready_buffer; tarantool-driver ${await peerVersion("tarantool-driver")}, many jobs in pipelines of ${PIPELINE} calls`,
    missing: folder === undefined ? { worker: ABSENT } : {},
    producer: async (target) => producer(await open(target), target),
    worker: (target, options) => crowd(target, options, 1),
    crowd,
  };
}

function versionIn(folder: string): string {
  return /'([\d.]+)'/.exec(readFileSync(join(folder, "queue/version.lua"), "utf8"))?.[1] ?? "";
}

function tubeOf({ grouped, tuned }: Target): readonly [string, object] {
  const once = { if_not_exists: true };
  if (grouped) return ["utube", tuned ? { ...once, storage_mode: "ready_buffer" } : once];
  return ["fifottl", tuned ? { ...once, ttr: TTR } : once];
}

function producer(driver: Driver, { queue }: Target): Producer {
  const name = `queue.tube.${queue}:put`;
  const put = (task: Task): Promise<unknown> => driver.call(name, ...putArguments(task));
  return {
    put,
    putMany: async (tasks) => {
      const all: Promise<unknown>[] = [];
      for (let from = 0; from < tasks.length; from += PIPELINE) {
        all.push(pipe(driver, name, tasks.slice(from, from + PIPELINE)));
      }
      await Promise.all(all);
    },
    close: async () => driver.disconnect(),
  };
}

async function pipe(driver: Driver, name: string, tasks: readonly Task[]): Promise<void> {
  const pipeline = driver.pipeline();
  for (const task of tasks) pipeline.call(name, ...putArguments(task));
  for (const [error] of await pipeline.exec()) {
    if (error !== null) throw new Error("a put of a pipeline failed", { cause: error });
  }
}

function putArguments({ payload, priority, due, group }: Task): readonly unknown[] {
  const data = JSON.stringify(payload);
  if (group !== undefined) return [data, { utube: group }];
  if (priority !== undefined) return [data, { pri: priority }];
  if (due !== undefined) return [data, { delay: Math.max(0, (due - Date.now()) / 1000) }];
  return [data];
}

function work(driver: Driver, { queue }: Target, { concurrency, handler, acked }: WorkOptions): Work {
  const tube = `queue.tube.${queue}`;
  const closing = new AbortController();
  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const found = (await driver.call(`${tube}:take`, WAIT))[0] as Found | undefined;
      if (found?.[0] === undefined) continue;
      const [id, , data] = found;
      try {
        handler(JSON.parse(data) as Payload);
      } catch {
        await driver.call(`${tube}:release`, id);
        continue;
      }
      await driver.call(`${tube}:ack`, id);
      acked();
    }
  };
  const failed = (error: unknown): void => {
    if (!closing.signal.aborted) console.error(error);
  };
  return {
    start: () => {
      for (let i = 0; i < concurrency; i++) void loop().catch(failed);
    },
    close: async () => {
      closing.abort();
      driver.disconnect();
    },
  };
}
