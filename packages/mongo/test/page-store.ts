/** Pages on a server, made and changed one by one: for tests of what works on pages that others made. */
import { type BackendEvent, type NewJob, newRequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { type MongoServer, startMongo } from "@pq/services";
import { MongoClient } from "mongodb";
import { Attachments, chunkDocuments } from "../src/bodies.ts";
import { Call } from "../src/call.ts";
import { collectionOptions } from "../src/client-options.ts";
import { draw, stampsOf } from "../src/head.ts";
import { prepare } from "../src/meta.ts";
import { packBodies } from "../src/page/body.ts";
import { deliver, type Means, settle } from "../src/page/life.ts";
import { findJob, type Page } from "../src/page/page.ts";
import { newPage, pageDocument } from "../src/page/put.ts";
import { Pages } from "../src/pages.ts";
import type { QueueParts } from "../src/parts.ts";
import { type Collections, collections, type PageDocument } from "../src/schema.ts";
import { ServerTime } from "../src/server-time.ts";
import { ownDatabase } from "./support.ts";

const TIMEOUT = 20_000;
const LONG = 60_000;

/** What a call throws that was broken off by a test. */
class Broken extends Error {
  override readonly name = "Broken";
}

/** A server in memory, which makes queues in databases of their own. */
export class PageStore {
  readonly #server: MongoServer;
  readonly #client: MongoClient;

  static async start(): Promise<PageStore> {
    const server = await startMongo({ using: "stand-in", storage: "memory" });
    return new PageStore(server, await new MongoClient(server.url).connect());
  }

  private constructor(server: MongoServer, client: MongoClient) {
    this.#server = server;
    this.#client = client;
  }

  /** A queue in a new database. */
  async queue(name = "q"): Promise<PageQueue> {
    const queue = this.unprepared(name);
    await prepare(queue.call());
    return queue;
  }

  /** A queue in a new database that nobody has opened yet. */
  unprepared(name = "q"): PageQueue {
    const db = this.#client.db(ownDatabase());
    return new PageQueue(name, collections(db, "pq", collectionOptions(TIMEOUT)));
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#server.close();
  }
}

/** One queue. */
export class PageQueue {
  readonly name: string;
  readonly all: Collections;
  readonly parts: QueueParts;
  readonly events: BackendEvent[] = [];

  constructor(name: string, all: Collections) {
    this.name = name;
    this.all = all;
    const report = (event: BackendEvent): void => void this.events.push(event);
    this.parts = {
      queue: name,
      pages: new Pages(name, report),
      time: new ServerTime(),
      report,
      freed: () => undefined,
    };
  }

  /** Another queue of the same database. */
  sibling(name: string): PageQueue {
    return new PageQueue(name, this.all);
  }

  /** A call. With a number: it breaks off after so many commands, which are carried out. */
  call(commands: number = Infinity): Call {
    let left = commands;
    const begin = () => (): void => {
      left--;
      if (left <= 0) throw new Broken(`after ${commands} commands`);
    };
    return new Call({ address: "test", timeout: TIMEOUT, repeats: false, collections: () => this.all, begin }, false);
  }

  /** Put jobs into a page of their own; gives its id. */
  async put(...jobs: readonly NewJob[]): Promise<string> {
    const call = this.call();
    const outcomes = jobs.map(() => ({ status: "added" }) as const);
    const bodies = packBodies(jobs);
    const drawn = await draw(call, this.name, this.parts.time);
    const page = newPage({ queue: this.name, request: newRequestId(), jobs }, outcomes, drawn, bodies);
    const chunks = chunkDocuments(page, bodies.chunks);
    if (chunks.length > 0) await this.all.bodies.insertMany(chunks);
    await this.all.pages.insertOne(pageDocument(page, jobs, outcomes));
    return page.id;
  }

  /** So many pages of one job each, in any order; gives their ids. */
  putMany(count: number, fields: Parameters<typeof newJob>[0] = {}): Promise<string[]> {
    return Promise.all(Array.from({ length: count }, () => this.put(newJob(fields))));
  }

  /** Change the page that this job is in. */
  async change(job: NewJob["id"], act: (page: Page, means: Means) => void): Promise<void> {
    const call = this.call();
    const stamp = stampsOf(await draw(call, this.name, this.parts.time));
    const seen = await this.parts.pages.read(call, {});
    const { page, now } = seen.find(({ page }) => findJob(page, job) !== undefined)!;
    const attachments = new Attachments();
    act(page, { now, stamp, attach: (to, bytes) => attachments.add(to, bytes, now) });
    await attachments.store(call);
    if (!(await this.parts.pages.writeAll(call, [page]))) throw new Error("somebody else changed the page");
  }

  /** Lease a job. */
  async take({ id }: NewJob, lease: number = LONG): Promise<void> {
    await this.change(id, (page, { now }) => {
      deliver(page, findJob(page, id)!, { request: newRequestId(), lease, turn: 0, now });
    });
  }

  /** Lease a job and settle it. */
  async finish(job: NewJob, type: "ack" | "bury"): Promise<void> {
    await this.take(job);
    await this.change(job.id, (page, means) => {
      const item = { id: job.id, fence: 0, ...(type === "ack" ? { type, result: null } : { type, error: "why" }) };
      settle(page, findJob(page, job.id)!, item, means);
    });
  }

  /** Bury ready jobs, in this order. */
  async buryAll(jobs: readonly Pick<NewJob, "id">[]): Promise<void> {
    const call = this.call();
    const stamp = stampsOf(await draw(call, this.name, this.parts.time));
    const seen = await this.parts.pages.read(call, {});
    for (const { id } of jobs) {
      const { page, now } = seen.find(({ page }) => findJob(page, id) !== undefined)!;
      const job = findJob(page, id)!;
      deliver(page, job, { request: newRequestId(), lease: LONG, turn: 0, now });
      settle(page, job, { id, fence: 0, type: "bury", error: null }, { now, stamp, attach: () => "" });
    }
    await this.parts.pages.writeAll(
      call,
      seen.map(({ page }) => page),
    );
  }

  /** Set fields of a page as nobody would. */
  async tamper(page: string, fields: Partial<PageDocument>): Promise<void> {
    await this.all.pages.updateOne({ _id: page }, { $set: fields });
  }

  /** Make pages that are closed as old as those that are folded. */
  async age(...pages: readonly string[]): Promise<void> {
    const long = new Date(Date.now() - 120_000);
    await this.all.pages.updateMany({ _id: { $in: [...pages] } }, { $set: { closed: long } });
  }
}

/** Run this again and again, each time on a new queue, with something that happens before one command after the other. */
export async function interrupting(
  prepare: () => Promise<PageQueue>,
  run: (queue: PageQueue, call: Call) => Promise<unknown>,
  meanwhile: (queue: PageQueue) => Promise<unknown>,
  check: (queue: PageQueue) => Promise<void>,
): Promise<void> {
  for (let number = 0, reached = true; reached; number++) {
    reached = false;
    const queue = await prepare();
    const call = queue.call();
    let left = number;
    const before = async (): Promise<void> => {
      if (left-- !== 0) return;
      reached = true;
      await meanwhile(queue);
    };
    const interrupted: Pick<Call, "read" | "write"> = {
      read: (command) => before().then(() => call.read(command)),
      write: (command) => before().then(() => call.write(command)),
    };
    await run(queue, interrupted as Call);
    await check(queue);
  }
}

/** Run this again and again, each time on a new queue, broken off after one command more, until it comes to its end. */
export async function breakingOff<Queue>(
  prepare: () => Promise<Queue>,
  run: (queue: Queue, commands: number) => Promise<unknown>,
  check: (queue: Queue) => Promise<void>,
): Promise<number> {
  for (let commands = 1; ; commands++) {
    const queue = await prepare();
    const broken = await run(queue, commands).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Broken) return true;
        throw error;
      },
    );
    await check(queue);
    if (!broken) return commands;
  }
}
