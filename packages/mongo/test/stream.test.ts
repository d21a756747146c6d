/**
 * The change stream of a backend, with a server that speaks as a replica set does where a test needs one, and with the stand-in, which has none.
 * `streams.test.ts` has the same with a real one.
 */
import { type BackendEvent, sleep, systemClock } from "@pq/core/backend";
import { eventually, ManualClock } from "@pq/core/testing";
import { available, type MongoServer, startMongo } from "@pq/services";
import { Binary, type Document, Long, MongoClient } from "mongodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Connection } from "../src/connection.ts";
import { resolveOptions } from "../src/options.ts";
import { pageId } from "../src/schema.ts";
import { CHANGES, type News, PageStream } from "../src/stream.ts";
import { type Answer, FakeMongod, standalone } from "./fake-mongod.ts";
import { ownDatabase } from "./support.ts";

const there = await available("mongo");

const primary: Document = {
  ...standalone,
  setName: "rs",
  hosts: ["127.0.0.1:1"],
  primary: "127.0.0.1:1",
  me: "127.0.0.1:1",
};

/** Where a stream stands. */
const token = (at: number): Document => ({ _data: String(at).padStart(8, "0") });
/** The answer to `aggregate` and `getMore`. */
const batch = (name: string, changes: readonly Document[], at = 0): Document => ({
  cursor: {
    id: Long.fromNumber(7),
    ns: "db.pq.pages",
    [name === "aggregate" ? "firstBatch" : "nextBatch"]: changes,
    postBatchResumeToken: token(at),
  },
});
/** A change of a page of this queue. */
const change = (queue: string, fields: Document, at = 1): Document => ({
  _id: token(at),
  documentKey: { _id: pageId(queue, "00112233445566778899aabbccddeeff" as never) },
  ready: false,
  ...fields,
});

/** Follow the changes of the queue `q`, and keep what is heard. */
function follow(connection: Connection, clock = new ManualClock()) {
  const events: BackendEvent[] = [];
  const news: News[] = [];
  const stream = new PageStream({ connection, report: (event) => void events.push(event), silence: 1000, clock });
  stream.listen("q", (each) => news.push(each));
  return { events, news, stream, clock };
}

async function connect(url: string): Promise<Connection> {
  const connection = new Connection(resolveOptions({ url, db: ownDatabase(), commandTimeout: 2000 }));
  await connection.open();
  onTestFinished(() => connection.close());
  return connection;
}

describe("the change stream", () => {
  let server: FakeMongod;
  let connection: Connection;
  /** Answers to the commands of the stream, each as it comes. */
  let answers: Answer[];
  let waiting: ((answer: Answer) => void)[];

  beforeEach(async () => {
    answers = [];
    waiting = [];
    server = await FakeMongod.listen((command, name) => {
      if (/^(ismaster|hello)$/i.test(name)) return primary;
      if (name !== "getMore" && !("pipeline" in command)) return undefined;
      return answers.shift() ?? new Promise<Answer>((resolve) => waiting.push(resolve));
    });
    connection = await connect(server.url);
  });

  afterEach(() => server.close());

  /** Answer what the stream asked, or is going to ask next. */
  async function answer(next: Answer): Promise<void> {
    await eventually(() => expect(waiting.length).toBeGreaterThan(0));
    waiting.shift()!(next);
  }

  const sent = (name: string): Document[] => server.commands.filter((command) => name in command);
  const stagesOf = (at: number): Document[] => sent("aggregate")[at]?.["pipeline"] as Document[];

  test("it asks for what has been committed by a majority, and for little of it", async () => {
    follow(connection);
    await eventually(() => expect(sent("aggregate")).toHaveLength(1));
    const [{ aggregate, readConcern }] = sent("aggregate") as [Document];
    const stages = stagesOf(0);
    expect([aggregate, readConcern]).toEqual(["pq.pages", { level: "majority" }]);
    expect(stages[0]).toEqual({ $changeStream: {} });
    expect(JSON.stringify(stages[1])).not.toContain("called");
    expect(Object.keys(stages[2]?.["$project"] as Document)).toEqual(["documentKey", "ready", "wake"]);
  });

  test("once it has begun it tells so, then what is new of each queue", async () => {
    const { news, stream, events } = follow(connection);
    const others: News[] = [];
    stream.listen("other", (each) => others.push(each));
    await sleep(systemClock, 20);
    expect([stream.up, news]).toEqual([false, []]);
    await answer(batch("aggregate", []));
    await eventually(() => expect(news).toEqual([{ ready: true, wake: undefined }]));
    expect([stream.up, others]).toEqual([true, [{ ready: true, wake: undefined }]]);
    const wake = new Date(2_000_000_000_000);
    await answer(batch("getMore", [change("q", { ready: true }, 1), change("nobody", { wake }, 2)], 2));
    await answer(batch("getMore", [change("q", { wake }, 3), change("other", { ready: true, wake }, 4)], 4));
    await eventually(() => expect(others).toHaveLength(2));
    expect(news.slice(1)).toEqual([
      { ready: true, wake: undefined },
      { ready: false, wake: wake.getTime() },
    ]);
    expect(others[1]).toEqual({ ready: true, wake: wake.getTime() });
    expect(sent("aggregate")).toHaveLength(1);
    expect(events).toEqual([]);
  });

  test("one that fails is reported once, and tried again after 30 s until it works", async () => {
    const { events, news, stream, clock } = follow(connection);
    await answer({ ok: 0, code: 13, codeName: "Unauthorized", errmsg: "not authorized" });
    await eventually(() => expect(events).toHaveLength(1));
    expect(events[0]?.type).toBe("warning");
    expect(events[0]?.message).toContain("changes cannot be watched");
    expect(news).toEqual([{ ready: true, wake: undefined }]);
    await clock.advance(29_999);
    expect(sent("aggregate")).toHaveLength(1);
    await clock.advance(1);
    await answer({ ok: 0, code: 13, codeName: "Unauthorized", errmsg: "not authorized" });
    await eventually(() => expect(news).toHaveLength(2));
    await clock.advance(30_000);
    await answer(batch("aggregate", []));
    await eventually(() => expect(stream.up).toBe(true));
    expect([events.length, news.length]).toEqual([1, 3]);
    await answer({ ok: 0, code: 280, codeName: "ChangeStreamFatalError", errmsg: "the token is gone" });
    await eventually(() => expect(events).toHaveLength(2));
    expect([stream.up, news.length]).toEqual([false, 4]);
  });

  test("after a lost connection it goes on where it was", async () => {
    const { events, news, stream } = follow(connection);
    await answer(batch("aggregate", [], 5));
    await eventually(() => expect(stream.up).toBe(true));
    await answer("cut");
    await answer(batch("aggregate", [change("q", { ready: true }, 6)], 6));
    await eventually(() => expect(news).toHaveLength(2));
    expect(stagesOf(1)[0]).toEqual({ $changeStream: { resumeAfter: token(5) } });
    expect([stream.up, events]).toEqual([true, []]);
  });

  test("closing ends it, whatever it waits for, and nobody is told anything any more", async () => {
    const { events, news, stream, clock } = follow(connection);
    await answer(batch("aggregate", []));
    await eventually(() => expect(sent("getMore")).toHaveLength(1));
    stream.close();
    stream.close();
    await eventually(() => expect(sent("killCursors")).toHaveLength(1));
    await answer(batch("getMore", [change("q", { ready: true })]));
    await clock.advance(60_000);
    expect([stream.up, news.length, events, clock.timers]).toEqual([false, 1, [], 0]);
    expect(sent("aggregate")).toHaveLength(1);
  });

  test("closing before the first answer, and before it is tried again", async () => {
    const first = follow(connection);
    await eventually(() => expect(sent("aggregate")).toHaveLength(1));
    first.stream.close();
    await answer(batch("aggregate", []));
    const second = follow(connection);
    await answer({ ok: 0, code: 13, errmsg: "not authorized" });
    await eventually(() => expect(second.events).toHaveLength(1));
    second.stream.close();
    await second.clock.advance(30_000);
    expect(sent("aggregate")).toHaveLength(2);
    expect([first.news, first.events, first.stream.up]).toEqual([[], [], false]);
  });
});

describe.skipIf(!there.available)("on a stand-in, which has no change streams", () => {
  let server: MongoServer;

  beforeAll(async () => {
    server = await startMongo({ using: "stand-in", storage: "memory" });
  });

  afterAll(() => server.close());

  test("what is asked for is what changes the first job of a page, or its next moment", async () => {
    const next = new Binary(Buffer.from("place"));
    const wake = new Date(2_000_000_000_000);
    const insert = (fullDocument: Document) => ({ operationType: "insert", fullDocument });
    const update = (updatedFields: Document) => ({ operationType: "update", updateDescription: { updatedFields } });
    const client = new MongoClient(server.url);
    onTestFinished(() => client.close());
    const changes = client.db(ownDatabase()).collection<Document & { _id: string }>("changes");
    const all = {
      "put now": insert({ s: "", next }),
      "put with a delay": insert({ s: "", wake }),
      "put that is pending": insert({ s: "" }),
      "another job first": update({ s: "", next }),
      lease: update({ s: "", next, wake }),
      "last job taken": update({ s: "", wake }),
      "nothing of interest": update({ s: "" }),
      claim: update({ called: { v: 1, k: 1 } }),
      folded: { operationType: "delete" },
    };
    const documents = Object.entries(all).map(([_id, each]) => ({ _id, ...each, documentKey: { _id, q: "q" } }));
    await changes.insertMany(documents);
    const told = await changes.aggregate(CHANGES).toArray();
    expect(Object.fromEntries(told.map(({ _id, ...rest }) => [_id, rest]))).toEqual({
      "put now": { documentKey: { _id: "put now", q: "q" }, ready: true },
      "put with a delay": { documentKey: { _id: "put with a delay", q: "q" }, ready: false, wake },
      "another job first": { documentKey: { _id: "another job first", q: "q" }, ready: true },
      lease: { documentKey: { _id: "lease", q: "q" }, ready: true, wake },
      "last job taken": { documentKey: { _id: "last job taken", q: "q" }, ready: false, wake },
    });
  });

  test("it fails without a rejection that nobody hears", async () => {
    const escaped: unknown[] = [];
    const hear = (reason: unknown): void => void escaped.push(reason);
    process.on("unhandledRejection", hear);
    onTestFinished(() => void process.off("unhandledRejection", hear));
    const { events, stream, clock } = follow(await connect(server.url));
    await eventually(() => expect(events).toHaveLength(1));
    await clock.advance(30_000);
    await sleep(systemClock, 100);
    stream.close();
    expect([events.length, stream.up, escaped]).toEqual([1, false, []]);
  });
});
