/**
 * mongodb-queue. Its acks are confirmed by their answers. It was written for a driver with callbacks: a shim gives it today's, command by command.
 * Workers are the user's own: here as many loops of get and ack as the concurrency; while there is nothing, one of them asks again and again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Payload } from "../../queues/payload.ts";
import { loadPeer, peerVersion } from "../../queues/peers.ts";
import type { Producer, Side, Target, Task, Work, WorkOptions } from "../../queues/side.ts";
import { inLanes } from "../../queues/workload.ts";
import { type Client, closeWith, type Collection, connect, DATABASE, type Database, type Document } from "../driver.ts";

type Callback<T> = (error?: Error | null, result?: T) => void;

interface Message {
  readonly ack: string;
  readonly payload: Payload;
}

interface MessageQueue {
  createIndexes(done: Callback<unknown>): void;
  add(payload: Payload | readonly Payload[], options: { readonly delay?: number }, done: Callback<unknown>): void;
  get(done: Callback<Message>): void;
  ack(ack: string, done: Callback<unknown>): void;
  ping(ack: string, options: { readonly visibility: number }, done: Callback<unknown>): void;
  clean(done: Callback<unknown>): void;
}

interface Module {
  readonly default: (database: object, name: string, options: object) => MessageQueue;
}

/** In ms: how often the idle workers of a process ask, all together, and how often they remove what is done. */
const IDLE = 10;
const CLEAN = 1000;

/** In seconds. The time of a message begins before its `get` is sent, and gets are slow in a long queue without an index. */
const VISIBILITY = 300;

/** Makes a failed message visible again, in seconds: 0 would mean the default. */
const AT_ONCE = 0.001;

/** mongodb-queue, over the benchmark's driver. */
export async function side(): Promise<Side> {
  const { default: make } = await loadPeer<Module>("mongodb-queue");
  const open = async (client: Client, { queue, tuned }: Target): Promise<MessageQueue> => {
    const opened = make(shim(client.db(DATABASE)), queue, tuned ? { visibility: VISIBILITY } : {});
    await called((done) => opened.createIndexes(done));
    return opened;
  };
  const crowd = async (target: Target, options: WorkOptions, workers: number): Promise<Work> => {
    const client = await connect(target);
    const queue = await open(client, target);
    const all = Array.from({ length: workers }, () => new Worker(queue, options, IDLE * workers));
    let cleaning: NodeJS.Timeout | undefined;
    return {
      start: () => {
        for (const worker of all) worker.start();
        if (target.tuned) cleaning = setInterval(() => queue.clean(logged), CLEAN);
      },
      close: closeWith(client, async () => {
        clearInterval(cleaning);
        await Promise.all(all.map((worker) => worker.close()));
      }),
    };
  };
  return {
    title: `mongodb-queue ${await peerVersion("mongodb-queue")}`,
    setup: `add of an array for many, visibility of ${VISIBILITY} s, clean every second, asks every ${IDLE} ms while idle, all workers of a process together, failed jobs back by ping; driver 7 through a shim`,
    missing: { priority: "it has no priorities" },
    producer: async (target) => {
      const client = await connect(target);
      return producer(await open(client, target), client);
    },
    worker: (target, options) => crowd(target, options, 1),
    crowd,
    stored: (target) => stored(target),
  };
}

function producer(queue: MessageQueue, client: Client): Producer {
  const put = ({ payload, due }: Task): Promise<unknown> =>
    called((done) => queue.add(payload, due === undefined ? {} : { delay: (due - Date.now()) / 1000 }, done));
  return {
    put,
    // An array has one delay for all of it.
    putMany: (tasks) =>
      tasks[0]?.due === undefined
        ? called((done) =>
            queue.add(
              tasks.map(({ payload }) => payload),
              {},
              done,
            ),
          )
        : inLanes([0, tasks.length], 100, (index) => put(tasks[index]!)),
    close: closeWith(client),
  };
}

/** As many loops of get and ack as the concurrency. */
class Worker implements Work {
  readonly #queue: MessageQueue;
  readonly #options: WorkOptions;
  readonly #idle: number;
  readonly #waiting: (() => void)[] = [];
  #loops: Promise<unknown> = Promise.resolve();
  #closed = false;
  #asked = false;

  constructor(queue: MessageQueue, options: WorkOptions, idle: number) {
    this.#queue = queue;
    this.#options = options;
    this.#idle = idle;
  }

  start(): void {
    this.#loops = Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#loop()));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#loops;
  }

  async #loop(): Promise<void> {
    while (!this.#closed) {
      try {
        const message = (await this.#get()) ?? (await this.#ask());
        if (message !== undefined) await this.#handle(message);
      } catch (error) {
        console.error(error);
      }
    }
  }

  async #handle({ ack, payload }: Message): Promise<void> {
    try {
      this.#options.handler(payload);
    } catch {
      await called((done) => this.#queue.ping(ack, { visibility: AT_ONCE }, done));
      return;
    }
    await called((done) => this.#queue.ack(ack, done));
    this.#options.acked();
  }

  #get(): Promise<Message | undefined> {
    return called((done) => this.#queue.get(done));
  }

  /** While there is nothing, one loop asks for all; whoever finds something lets the next one ask. */
  async #ask(): Promise<Message | undefined> {
    if (this.#asked) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#asked = true;
    let message: Message | undefined;
    while (!this.#closed && message === undefined) {
      message = await this.#get();
      if (message === undefined) await sleep(this.#idle);
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#asked = false;
    else next();
    return message;
  }
}

async function* stored(target: Target): AsyncIterable<Payload> {
  const client = await connect(target);
  try {
    for await (const { payload } of client.db(DATABASE).collection<Message>(target.queue).find({})) yield payload;
  } finally {
    await client.close();
  }
}

function logged(error?: Error | null): void {
  if (error instanceof Error) console.error(error);
}

function called<T>(call: (done: Callback<T>) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error instanceof Error) reject(error);
      else resolve(result);
    });
  });
}

/** The parts of the driver of 2019 that it calls, over today's. */
function shim(database: Database): object {
  return { collection: (name: string) => shimCollection(database.collection(name)) };
}

function shimCollection(collection: Collection): object {
  return {
    createIndex: (keys: Document, ...rest: readonly [Document, Callback<unknown>] | readonly [Callback<unknown>]) => {
      const done = rest.at(-1) as Callback<unknown>;
      answer(collection.createIndex(keys, rest.length === 2 ? rest[0] : {}), done);
    },
    insertMany: (documents: readonly Document[], done: Callback<unknown>) => {
      const inserted = collection.insertMany(documents);
      answer(
        inserted.then(({ insertedIds }) => ({ insertedIds, ops: documents })),
        done,
      );
    },
    findOneAndUpdate: (filter: Document, update: Document, options: Document, done: Callback<unknown>) => {
      const { returnOriginal: _, ...others } = options;
      const today = { ...others, returnDocument: "after", includeResultMetadata: true };
      answer(collection.findOneAndUpdate(filter, update, today), done);
    },
    deleteMany: (filter: Document, done: Callback<unknown>) => answer(collection.deleteMany(filter), done),
  };
}

function answer<T>(promise: Promise<T>, done: Callback<T>): void {
  promise.then(
    (result) => done(null, result),
    (error: unknown) => done(error as Error),
  );
}
