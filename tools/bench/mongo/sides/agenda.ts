/** Agenda with its backend for MongoDB. Its acks are confirmed when it tells `complete` of a job that did not fail. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Side, Target, Task, Work, WorkOptions } from "../../queues/side.ts";
import { type Client, closeWith, connect, DATABASE, type Database } from "../driver.ts";

interface AgendaJob {
  readonly attrs: { readonly data: Payload; readonly failCount?: number };
}

interface Scheduler {
  readonly ready: Promise<unknown>;
  now(name: string, data: Payload): Promise<unknown>;
  schedule(when: Date, name: string, data: Payload): Promise<unknown>;
  define(name: string, processor: (job: AgendaJob) => Promise<void>, options: object): void;
  on(event: string, listener: (about: AgendaJob) => void): unknown;
  start(): Promise<void>;
  stop(closeConnection: boolean): Promise<void>;
}

interface Modules {
  readonly Agenda: new (options: object) => Scheduler;
  readonly MongoBackend: new (options: { readonly mongo: Database; readonly collection: string }) => object;
}

const NAME = "job";

/** In ms: how often the workers of a process look for jobs, all together. Where each does it so often, they do nothing else. */
const PROCESS_EVERY = 20;

/** The fastest of what was tried. It looks for jobs until it holds so many that the limit is reached, and then again after the interval. */
function tuning(concurrency: number, workers: number): object {
  return { processEvery: PROCESS_EVERY * workers, lockLimit: Math.max(20, concurrency), removeOnComplete: true };
}

/** What the driver says after its end. */
const LATE = new Set(["MongoPoolClosedError", "MongoClientClosedError", "MongoNotConnectedError"]);

/** Agenda, over the benchmark's driver. */
export async function side(): Promise<Side> {
  const modules: Modules = {
    ...(await loadPeer<Pick<Modules, "Agenda">>("agenda")),
    ...(await loadPeer<Pick<Modules, "MongoBackend">>("@agendajs/mongo-backend")),
  };
  process.on("unhandledRejection", ignoreLate);
  return {
    title: `Agenda ${await peerVersion("agenda")}`,
    setup: `many are put one by one, all at once (it has no call for many), processEvery ${PROCESS_EVERY} ms for all workers of a process together, lockLimit of the concurrency or 20, removeOnComplete`,
    missing: {},
    producer: async (target) => {
      const client = await connect(target);
      const agenda = await open(modules, client, target, {});
      const put = ({ payload, due }: Task): Promise<unknown> =>
        due === undefined ? agenda.now(NAME, payload) : agenda.schedule(new Date(due), NAME, payload);
      return { put, putMany: (tasks) => Promise.all(tasks.map(put)), close: closeWith(client) };
    },
    worker: async (target, options) => work(modules, target, options, 1),
    crowd: async (target, options, workers) => work(modules, target, options, workers),
    stored: (target) => stored(target),
  };
}

/** It does not wait for all that it sends: what it sent last fails when the client is closed, and must not end the process. */
function ignoreLate(error: unknown): void {
  if (!(error instanceof Error) || !LATE.has(error.name)) throw error;
}

async function open(
  { Agenda, MongoBackend }: Modules,
  client: Client,
  { queue }: Target,
  options: object,
): Promise<Scheduler> {
  const backend = new MongoBackend({ mongo: client.db(DATABASE), collection: queue });
  const agenda = new Agenda({ backend, ...options });
  await agenda.ready;
  return agenda;
}

async function work(modules: Modules, target: Target, options: WorkOptions, workers: number): Promise<Work> {
  const { concurrency, handler, acked } = options;
  const client = await connect(target);
  const running = new Set<AgendaJob>();
  const one = async (): Promise<Scheduler> => {
    const agenda = await open(modules, client, target, {
      maxConcurrency: concurrency,
      ...(target.tuned ? tuning(concurrency, workers) : {}),
    });
    agenda.define(NAME, async ({ attrs }) => handler(attrs.data), {
      concurrency,
      backoff: ({ attempt }: { readonly attempt: number }) => (attempt < target.attempts ? 0 : null),
    });
    agenda.on("start", (job) => void running.add(job));
    agenda.on("complete", (job) => {
      running.delete(job);
      if ((job.attrs.failCount ?? 0) === 0) acked();
    });
    return agenda;
  };
  const all = await Promise.all(Array.from({ length: workers }, one));
  return {
    start: () => {
      for (const agenda of all) void agenda.start().catch(console.error);
    },
    close: closeWith(client, async () => {
      await Promise.all(all.map((agenda) => agenda.stop(false)));
      while (running.size > 0) await sleep(1);
    }),
  };
}

async function* stored(target: Target): AsyncIterable<Payload> {
  const client = await connect(target);
  try {
    const jobs = client.db(DATABASE).collection<{ readonly data: Payload }>(target.queue).find({});
    for await (const { data } of jobs) yield data;
  } finally {
    await client.close();
  }
}
