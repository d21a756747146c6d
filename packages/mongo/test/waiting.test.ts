/** Waiting, as one process after the other sees it. Pages are written here as puts and takes write them. */
import { setMaxListeners } from "node:events";
import { Queue } from "@pq/core";
import { type BackendEvent, newRequestId, sleep, systemClock } from "@pq/core/backend";
import { eventually, FaultProxy, type JobFields, newJob } from "@pq/core/testing";
import { available, type MongoServer, startMongo } from "@pq/services";
import { type CommandStartedEvent, type Document, MongoClient } from "mongodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mongoCapabilities } from "../src/capabilities.ts";
import { Connection } from "../src/connection.ts";
import { draw, setPaused } from "../src/head.ts";
import { mongo } from "../src/index.ts";
import { resolveOptions } from "../src/options.ts";
import { packBodies } from "../src/page/body.ts";
import { deliver } from "../src/page/life.ts";
import { deliverable } from "../src/page/page.ts";
import { newPage, pageDocument } from "../src/page/put.ts";
import { Pages } from "../src/pages.ts";
import type { QueueParts } from "../src/parts.ts";
import { ServerTime } from "../src/server-time.ts";
import type { News } from "../src/stream.ts";
import { Waiting } from "../src/waiting.ts";
import { code, ownDatabase } from "./support.ts";

const there = await available("mongo");

/** How long idle processes are watched, in ms. By hand a minute, with `--reporter=verbose` to see the figures. */
const IDLE = Number(process.env["PQ_IDLE_MS"] ?? 2000);
/** Long enough for anybody to wake who is going to. */
const SETTLED = 300;
/** How late a wait may end, with some slack for a busy machine, in ms. */
const SOON = mongoCapabilities.lateness + 1000;

describe.skipIf(!there.available)("waiting", () => {
  let server: MongoServer;
  let db: string;
  let over: AbortController;
  let closing: (() => Promise<unknown>)[];

  beforeAll(async () => {
    server = await startMongo();
  });

  afterAll(() => server.close());

  beforeEach(() => {
    db = ownDatabase();
    over = new AbortController();
    setMaxListeners(100, over.signal);
    closing = [];
  });

  afterEach(async () => {
    over.abort();
    for (const close of closing.toReversed()) await close();
  });

  /** A process that waits for the queue, and whatever else it does. */
  async function open(url: string = server.url, stream?: Told): Promise<Process> {
    const { client, commands } = monitored(url);
    const connection = new Connection(resolveOptions({ client, db, commandTimeout: 2000 }));
    await connection.open();
    closing.push(() => connection.close());
    return new Process({ client, commands }, connection, stream);
  }

  function monitored(url: string): Monitored {
    const client = new MongoClient(url, { monitorCommands: true, directConnection: true, retryReads: false });
    closing.push(() => client.close());
    const commands: CommandStartedEvent[] = [];
    client.on("commandStarted", (event) => commands.push(event));
    return { client, commands };
  }

  async function several(count: number): Promise<Process[]> {
    return Promise.all(Array.from({ length: count }, () => open()));
  }

  /** Resolves once this process has looked for nothing: it has begun to look again. */
  async function waits(process: Process, timeout = 60_000): Promise<{ readonly ended: Promise<void> }> {
    const looks = process.looks;
    const ended = process.waiting.wait({ queue: "q", timeout, signal: over.signal });
    ended.catch(() => undefined);
    await eventually(() => expect(process.looks).toBeGreaterThan(looks + 1));
    return { ended };
  }

  /** All of them wait; `woken` are those whose wait has ended. */
  async function herd(processes: readonly Process[]): Promise<number[]> {
    const woken: number[] = [];
    await Promise.all(
      processes.map(async (process, at) => {
        const { ended } = await waits(process);
        ended.then(
          () => woken.push(at),
          () => undefined,
        );
      }),
    );
    expect(woken).toEqual([]);
    return woken;
  }

  test("a job that is there ends a wait at once, whoever else was told of it", async () => {
    const [one, two] = await several(2);
    await one!.put({});
    await one!.waiting.wait({ queue: "q", timeout: 60_000, signal: over.signal });
    await two!.waiting.wait({ queue: "q", timeout: 60_000, signal: over.signal });
    expect([one!.looks, two!.looks]).toEqual([1, 1]);
    expect(one!.claims + two!.claims).toBe(0);
  });

  test("a put by another process ends a wait in time", async () => {
    const [producer, process] = await several(2);
    const { ended } = await waits(process!);
    const began = performance.now();
    await producer!.put({});
    await ended;
    expect(performance.now() - began).toBeLessThan(SOON);
  });

  test("one put wakes one of 12 processes, and n jobs wake n", { timeout: 20_000 }, async () => {
    const processes = await several(12);
    const producer = await open();
    const woken = await herd(processes);
    const expectWoken = async (count: number): Promise<void> => {
      await eventually(() => expect(woken.length).toBeGreaterThanOrEqual(count));
      await producer.take(); // as those would do; after a second without it others are told
      await sleep(systemClock, SETTLED);
      expect(woken).toHaveLength(count);
    };
    await producer.put({});
    await expectWoken(1);
    await Promise.all([producer.put({}), producer.put({}), producer.put({})]);
    await expectWoken(4);
    await producer.put({}, {}, {}, {}, {}, {});
    await expectWoken(10);
    await producer.put(...Array.from({ length: 100 }, () => ({})));
    await expectWoken(12);
  });

  test("who was told and takes nothing holds up the others for a second, and a change of the page for no time", async () => {
    const processes = await several(3);
    const producer = await open();
    const woken = await herd(processes);
    await producer.put({}, { due: { in: 60_000 } });
    await eventually(() => expect(woken).toHaveLength(1));
    await producer.rewrite();
    await eventually(() => expect(woken).toHaveLength(2));
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(2);
    await eventually(() => expect(woken).toHaveLength(3));
  });

  test("a claim changes nothing that a page consists of", async () => {
    const [producer, process] = await several(2);
    const { ended } = await waits(process!);
    await producer!.put({}, {});
    const [{ called: _, ...before }] = (await producer!.documents()) as [Record<string, unknown>];
    await ended;
    const [{ called, ...after }] = (await producer!.documents()) as [Record<string, unknown>];
    expect(after).toEqual(before);
    expect(called).toMatchObject({ v: 0, k: 1 });
    await producer!.take();
    expect((await producer!.documents())[0]).toMatchObject({ v: 1, called, free: 0 });
  });

  test("a put of one's own ends a wait at once, when it says so", async () => {
    const process = await open();
    const { ended } = await waits(process);
    await eventually(() => expect(process.looks).toBeGreaterThan(7)); // it polls seldom now
    const looks = process.looks;
    await process.put({});
    process.waiting.signal();
    await ended;
    expect(process.looks - looks).toBeLessThanOrEqual(2);
  });

  test.for<[string, JobFields, (process: Process) => Promise<unknown>]>([
    ["a due time", { due: { in: 1500 } }, async () => undefined],
    ["the end of a lease", {}, (process) => process.take(1500)],
  ])("%s wakes one of eight processes, in time", { timeout: 15_000 }, async ([, fields, prepare]) => {
    const processes = await several(8);
    const producer = await open();
    const began = performance.now();
    await producer.put(fields);
    await prepare(producer);
    const prepared = performance.now();
    const woken = await herd(processes);
    await eventually(() => expect(woken.length).toBeGreaterThan(0));
    const took = performance.now() - began;
    await producer.take(); // as the woken one would; after a second without it others are told
    expect(took).toBeGreaterThanOrEqual(1499);
    expect(took).toBeLessThan(1500 + SOON + prepared - began);
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(1);
  });

  test("an earlier moment that comes later is heard", async () => {
    const [producer, process] = await several(2);
    await producer!.put({ due: { in: 30_000 } });
    const { ended } = await waits(process!);
    const began = performance.now();
    await producer!.put({ due: { in: 200 } });
    await ended;
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(199);
    expect(took).toBeLessThan(200 + SOON);
  });

  test("a paused queue wakes nobody and is not looked at more often, until it is resumed", async () => {
    const [producer, process] = await several(2);
    await producer!.pause(true);
    await producer!.put({});
    let woken = false;
    const { ended } = await waits(process!);
    ended.then(
      () => (woken = true),
      () => undefined,
    );
    await sleep(systemClock, SETTLED);
    const looks = process!.looks;
    await sleep(systemClock, 1000);
    expect(woken).toBe(false);
    expect(process!.looks - looks).toBeLessThan(12);
    expect(process!.claims).toBe(0);
    const began = performance.now();
    await producer!.pause(false);
    await ended;
    expect(performance.now() - began).toBeLessThan(SOON);
  });

  test("an abort, the timeout and closing end a wait, which then looks no more", async () => {
    const process = await open();
    await process.waiting.wait({ queue: "q", timeout: 60_000, signal: AbortSignal.abort() });
    expect(process.looks).toBe(0);
    await (
      await waits(process, 100)
    ).ended;
    const aborted = await waits(process);
    over.abort();
    await aborted.ended;
    over = new AbortController();
    const closed = await waits(process);
    process.waiting.close();
    await closed.ended;
    await sleep(systemClock, 50);
    const looks = process.looks;
    await sleep(systemClock, SETTLED);
    expect(process.looks).toBe(looks);
  });

  test("waits that were aborted take nothing from the others", async () => {
    const processes = await several(4);
    const producer = await open();
    const { ended } = await waits(processes[0]!);
    for (let round = 0; round < 10; round++) {
      const leaving = new AbortController();
      const left = processes
        .slice(1)
        .map((each) => each.waiting.wait({ queue: "q", timeout: 60_000, signal: leaving.signal }));
      await sleep(systemClock, 10 * round);
      const putting = round === 9 ? producer.put({}) : undefined;
      leaving.abort();
      await Promise.all([...left, putting]);
    }
    const began = performance.now();
    await ended;
    expect(performance.now() - began).toBeLessThan(SOON);
  });

  test("a wait that is aborted while it is told of a job passes it on", async () => {
    const [producer, process] = await several(2);
    const { ended } = await waits(process!);
    process!.client.on("commandStarted", ({ command }) => {
      if (isClaim(command)) over.abort();
    });
    await producer!.put({});
    await ended;
    await eventually(async () => expect(await producer!.documents()).toMatchObject([{ called: { v: 0, k: 0 } }]));
  });

  test("several waits of one process share its looks, and each gets a job", async () => {
    const [producer, process] = await several(2);
    let ended = 0;
    for (let n = 0; n < 10; n++) {
      process!.waiting.wait({ queue: "q", timeout: 60_000, signal: over.signal }).then(
        () => ended++,
        () => undefined,
      );
    }
    await sleep(systemClock, 500);
    expect(process!.looks).toBeLessThan(12);
    await producer!.put({}, {}, {});
    await eventually(() => expect(ended).toBe(3));
    await sleep(systemClock, SETTLED);
    expect(ended).toBe(3);
  });

  test("a lost connection ends a wait with UNAVAILABLE, and the next one works again", async () => {
    await using proxy = await FaultProxy.listen({ host: server.host, port: server.port });
    const process = await open(`mongodb://${proxy.host}:${proxy.port}/`);
    const producer = await open();
    const { ended } = await waits(process);
    const accept = proxy.refuse();
    proxy.cut();
    expect(await code(ended)).toBe("UNAVAILABLE");
    accept();
    await producer.put({});
    await eventually(async () => {
      const again = process.waiting.wait({ queue: "q", timeout: 60_000, signal: over.signal });
      expect(await code(again)).toBe("done");
    });
  });

  test("while changes are told, it looks when it is told, and seldom besides", async () => {
    const stream = new Told();
    const [producer, process] = [await open(), await open(server.url, stream)];
    const { ended } = await waits(process);
    await sleep(systemClock, 1500);
    // After 5, 10, … 640 ms; and the next one after 1,280.
    const looks = process.looks;
    expect(looks).toBeLessThanOrEqual(10);
    await producer.put({});
    stream.tell({ ready: true });
    await ended;
    expect(process.looks).toBe(looks + 1);
  });

  test("a moment that is told is kept, whatever is polled", async () => {
    const stream = new Told();
    const [producer, process] = [await open(), await open(server.url, stream)];
    await producer.put({ due: { in: 600_000 } });
    const { ended } = await waits(process);
    await sleep(systemClock, 1500);
    const looks = process.looks;
    const dueAt = await producer.put({ due: { in: 300 } });
    stream.tell({ wake: dueAt });
    await ended;
    expect(process.looks).toBeLessThanOrEqual(looks + 4);
  });

  test("a moment that a look has seen is kept, whatever is polled", { timeout: 10_000 }, async () => {
    const [producer, process] = [await open(), await open(server.url, new Told())];
    await producer.put({ due: { in: 3200 } });
    const began = performance.now();
    await (
      await waits(process)
    ).ended;
    expect(performance.now() - began).toBeLessThan(3200 + SOON); // polls come after 2.6 s and 5.1 s
  });

  test("a stream that ends is heard, and polling is as often as without", async () => {
    const stream = new Told();
    const [producer, process] = [await open(), await open(server.url, stream)];
    const { ended } = await waits(process);
    await sleep(systemClock, 1500);
    stream.up = false;
    stream.tell({ ready: true });
    await eventually(() => expect(process.looks).toBeGreaterThan(11));
    await producer.put({});
    await ended;
  });

  test("who is always too late looks less often", async () => {
    const stream = new Told();
    const process = await open(server.url, stream);
    await waits(process);
    const looks = process.looks;
    for (let n = 0; n < 200; n++) {
      stream.tell({ ready: true });
      await sleep(systemClock, 5);
    }
    expect(process.looks - looks).toBeLessThan(40);
  });

  test.for<[string, number]>([
    ["one worker", 1],
    ["64 workers", 64],
  ])(
    "idle, %s of one process: two cheap commands, some five times a second",
    { timeout: 20_000 + IDLE },
    async ([, workers], { annotate }) => {
      const { client, commands } = monitored(server.url);
      const queue = new Queue("idle", { backend: mongo({ client, db }) });
      closing.push(() => queue.close());
      await queue.ready();
      for (let n = 0; n < workers; n++) queue.work(() => undefined);
      await eventually(() => expect(commands.filter(({ command }) => isLook(command)).length).toBeGreaterThan(7));
      const before = commands.length;
      await sleep(systemClock, IDLE);
      const idle = commands.slice(before);
      await annotate(`${idle.length} commands in ${IDLE} ms`);
      // A take, which is some commands, now and then.
      expect(idle.length).toBeLessThanOrEqual(20 + (12 * IDLE) / 1000);
      expect(idle.every(({ commandName }) => commandName === "aggregate" || commandName === "find")).toBe(true);
    },
  );
});

/** A client, and what it has sent. */
interface Monitored {
  readonly client: MongoClient;
  readonly commands: readonly CommandStartedEvent[];
}

/** Stands for the change stream. */
class Told {
  up = true;
  tell: (news: Partial<News>) => void = () => expect.unreachable("nobody listens");

  listen(queue: string, listener: (news: News) => void): void {
    expect(queue).toBe("q");
    this.tell = (news) => listener({ ready: false, wake: undefined, ...news });
  }
}

function isLook({ pipeline }: Document): boolean {
  return JSON.stringify((pipeline as Document[] | undefined)?.[0] ?? null).includes('"next"');
}

function isClaim({ updates }: Document): boolean {
  return JSON.stringify((updates as Document[] | undefined)?.[0]?.["u"] ?? null).includes("called");
}

/** A process, as far as it waits, puts and takes. */
class Process {
  readonly client: MongoClient;
  readonly commands: readonly CommandStartedEvent[];
  readonly waiting: Waiting;
  readonly #connection: Connection;
  readonly #parts: QueueParts;

  constructor({ client, commands }: Monitored, connection: Connection, stream?: Told) {
    this.client = client;
    this.commands = commands;
    const report = (event: BackendEvent): void => expect(event).toBe(undefined);
    this.#connection = connection;
    this.#parts = { queue: "q", pages: new Pages("q", report), time: new ServerTime(), report, freed: () => undefined };
    this.waiting = new Waiting(this.#parts, connection, stream);
  }

  /** How often it looked for a page with jobs. */
  get looks(): number {
    return this.commands.filter(({ command }) => isLook(command)).length;
  }

  /** How often it tried to be told of a job. */
  get claims(): number {
    return this.commands.filter(({ command }) => isClaim(command)).length;
  }

  /** When the first of them falls due. */
  async put(...fields: readonly JobFields[]): Promise<number> {
    const jobs = fields.map((each) => newJob(each));
    const call = this.#connection.call();
    const drawn = await draw(call, "q", this.#parts.time);
    const outcomes = jobs.map(() => ({ status: "added" }) as const);
    const page = newPage({ queue: "q", request: newRequestId(), jobs }, outcomes, drawn, packBodies(jobs));
    await call.write(({ pages }) => pages.insertOne(pageDocument(page, jobs, outcomes)));
    return page.jobs[0]!.stamp.ms;
  }

  /** Take all that there is. */
  async take(lease = 60_000): Promise<void> {
    const call = this.#connection.call();
    const seen = await this.#parts.pages.read(call, { next: { $exists: true } });
    const request = newRequestId();
    for (const { page, now } of seen) {
      for (const job of deliverable(page)) deliver(page, job, { request, lease, turn: 0, now });
    }
    expect(
      await this.#parts.pages.writeAll(
        call,
        seen.map(({ page }) => page),
      ),
    ).toBe(true);
  }

  /** Change nothing of the pages but their version. */
  async rewrite(): Promise<void> {
    const call = this.#connection.call();
    const seen = await this.#parts.pages.read(call, {});
    expect(
      await this.#parts.pages.writeAll(
        call,
        seen.map(({ page }) => page),
      ),
    ).toBe(true);
  }

  async pause(paused: boolean): Promise<void> {
    await setPaused(this.#connection.call(), "q", newRequestId(), paused);
  }

  async documents(): Promise<unknown[]> {
    return this.#connection.call("read").read(({ pages }) => pages.find({ q: "q" }).toArray());
  }
}
