import { Binary, type CommandStartedEvent, MongoClient } from "mongodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { isPqError } from "@pq/core/backend";
import { eventually, FaultProxy } from "@pq/core/testing";
import { available, type MongoServer, startMongo } from "@pq/services";
import type { Call } from "../src/call.ts";
import { Connection } from "../src/connection.ts";
import { isDuplicateKey } from "../src/errors.ts";
import { type MongoOptions, resolveOptions } from "../src/options.ts";
import { FakeMongod, standalone } from "./fake-mongod.ts";
import { code, everything, group, otherDriver, ownDatabase, rejection } from "./support.ts";

// Several deadlines in a row, on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const there = await available("mongo");

/** For calls that are not answered, in ms; others have it on a busy machine too. Tests allow several times as long. */
const DEADLINE = 1000;

const isRequest = (bytes: Uint8Array): boolean => !/ismaster|hello|ping/i.test(Buffer.from(bytes).toString("latin1"));

let server: MongoServer;
let proxy: FaultProxy;
let db: string;
const open = new Set<Connection>();
const clients = new Set<MongoClient>();

beforeAll(async () => {
  if (there.available) server = await startMongo();
});
afterAll(() => server?.close());

beforeEach(async (context) => {
  if (!there.available) context.skip(there.reason);
  db = ownDatabase();
  proxy = await FaultProxy.listen({ port: server.port, host: server.host, isRequest });
});

afterEach(async () => {
  for (const each of open) await each.close();
  for (const client of clients) await client.close();
  open.clear();
  clients.clear();
  // Not there when the test was skipped.
  await proxy?.close();
});

/** Past the driver's discovery, which would find the server behind the proxy. */
const urlOf = (port: number): string => `mongodb://127.0.0.1:${port}/?directConnection=true`;
const direct = (): string => `mongodb://${server.host}:${server.port}/?directConnection=true`;

async function connected(options: MongoOptions): Promise<Connection> {
  const made = new Connection(resolveOptions({ db, commandTimeout: DEADLINE, ...options }));
  open.add(made);
  await made.open();
  return made;
}

/** A client as its users have it: with the defaults of the driver. */
function defaultClient(url: string, options: ConstructorParameters<typeof MongoClient>[1] = {}): MongoClient {
  const client = new MongoClient(url, options);
  clients.add(client);
  return client;
}

const own = (url: string): MongoOptions => ({ url });
const borrowed = (url: string): MongoOptions => ({ client: defaultClient(url) });

const insert = (call: Call, id: string): Promise<unknown> => call.write(({ groups }) => groups.insertOne(group(id)));
const find = (call: Call, id: string): Promise<unknown> =>
  call.read(({ groups }) => groups.findOne({ _id: id, q: "q" }));

/** How many documents of this id there are, asked past the proxy. */
async function stored(id: string): Promise<number> {
  return defaultClient(direct()).db(db).collection<{ _id: string }>("pq.groups").countDocuments({ _id: id });
}

describe.each([
  ["own", own],
  ["borrowed with the defaults of the driver", borrowed],
])("%s connection", (kind, optionsFor) => {
  test("a lost reply is of unknown outcome, and the write is there", async () => {
    const mongo = await connected(optionsFor(urlOf(proxy.port)));
    await insert(mongo.call(), "warm");
    proxy.loseReply();
    expect(await code(insert(mongo.call(), "a"))).toBe("OUTCOME_UNKNOWN");
    await eventually(async () => expect(await code(insert(mongo.call(), "b"))).toBe("done"));
    expect(await stored("a")).toBe(1);
  });

  test("a lost request is of unknown outcome for a write, and harmless for a read", async () => {
    const mongo = await connected(optionsFor(urlOf(proxy.port)));
    await insert(mongo.call(), "warm");
    proxy.loseRequest();
    expect(await code(insert(mongo.call(), "a"))).toBe("OUTCOME_UNKNOWN");
    expect(await stored("a")).toBe(0);
    await eventually(() => find(mongo.call(), "warm"));
    // The defaults of the driver read again.
    proxy.loseRequest();
    expect(await code(find(mongo.call(), "warm"))).toBe(kind === "own" ? "UNAVAILABLE" : "done");
  });

  test("a cut ends all calls in flight, and the next ones work", async () => {
    const mongo = await connected({ ...optionsFor(urlOf(proxy.port)), commandTimeout: 60_000 });
    const ids = ["a", "b", "c"];
    await Promise.all(ids.map((id) => find(mongo.call(), id)));
    proxy.delay(200);
    const before = proxy.statistics().bytesToServer;
    const calls = ids.map((id) => code(insert(mongo.call(), id)));
    await eventually(() => expect(proxy.statistics().bytesToServer).toBeGreaterThan(before + 300));
    proxy.cut();
    proxy.delay(0);
    expect(await Promise.all(calls)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(await code(insert(mongo.call(), "d"))).toBe("done");
  });

  test("while nothing can be reached, each call ends by its deadline", async () => {
    const mongo = await connected(optionsFor(urlOf(proxy.port)));
    const heal = proxy.refuse();
    proxy.cut();
    await rejection(find(mongo.call(), "a"));
    const began = performance.now();
    expect(await code(find(mongo.call(), "a"))).toBe("UNAVAILABLE");
    // A client that repeats, or waits for a server longer than our deadline, cannot tell that nothing was sent.
    expect(await code(insert(mongo.call(), "a"))).toBe(kind === "own" ? "UNAVAILABLE" : "OUTCOME_UNKNOWN");
    expect(performance.now() - began).toBeLessThan(8 * DEADLINE);
    heal();
    await eventually(async () => expect(await code(insert(mongo.call(), "b"))).toBe("done"));
    expect(await stored("a")).toBe(0);
  });

  test("over a half-open connection each call ends by its deadline, and after it all goes on", async () => {
    const mongo = await connected(optionsFor(urlOf(proxy.port)));
    await insert(mongo.call(), "a");
    const heal = proxy.halfOpen();
    const began = performance.now();
    const calls = [code(insert(mongo.call(), "b")), code(find(mongo.call(), "a")), code(insert(mongo.call(), "c"))];
    const [first, read, second] = await Promise.all(calls);
    expect(read).toBe("UNAVAILABLE");
    for (const each of [first, second]) expect(["OUTCOME_UNKNOWN", "UNAVAILABLE"]).toContain(each);
    expect(await code(find(mongo.call(), "a"))).toBe("UNAVAILABLE");
    expect(performance.now() - began).toBeLessThan(8 * DEADLINE);
    heal();
    await eventually(async () => expect(await code(insert(mongo.call(), "d"))).toBe("done"), { patience: 15_000 });
  });

  test("a server that is stopped for a while loses nothing but time", async (context) => {
    if (server.using === "address") context.skip("it belongs to somebody");
    const mongo = await connected(optionsFor(direct()));
    await insert(mongo.call(), "a");
    const resume = server.pause();
    try {
      // The threads of a server do not all stop at once.
      let writes = 0;
      await eventually(async () => expect(await code(insert(mongo.call(), `b${writes++}`))).toBe("OUTCOME_UNKNOWN"));
    } finally {
      resume();
    }
    await eventually(async () => expect(await code(insert(mongo.call(), "c"))).toBe("done"), { patience: 15_000 });
  });

  test("a call of our own busy process is not taken for a late one", async () => {
    const mongo = await connected(optionsFor(direct()));
    await find(mongo.call(), "a");
    const call = code(find(mongo.call(), "a"));
    await new Promise((resolve) => setImmediate(resolve));
    const end = performance.now() + 2 * DEADLINE;
    // The reply comes while this process does not look.
    while (performance.now() < end);
    expect(await call).toBe("done");
  });

  test("close lets calls in flight end with all of their commands, and later ones are refused", async () => {
    const mongo = await connected(optionsFor(urlOf(proxy.port)));
    await find(mongo.call(), "a");
    proxy.delay(50);
    const call = mongo.call();
    const both = async (): Promise<unknown> => {
      await insert(call, "a");
      // What a call does with an answer before it goes on.
      for (let step = 0; step < 100; step++) await Promise.resolve();
      return find(call, "a");
    };
    const two = both();
    await mongo.close();
    expect(await two).toMatchObject({ _id: "a" });
    expect(() => mongo.call()).toThrow("the mongo backend is closed");
    expect(await code(find(call, "a"))).toBe("OUTCOME_UNKNOWN");
    await mongo.close();
    proxy.delay(0);
    await mongo.open();
    expect(await code(insert(mongo.call(), "b"))).toBe("done");
  });

  test("close is bounded when nothing answers", async () => {
    const mongo = await connected(optionsFor(urlOf(proxy.port)));
    await insert(mongo.call(), "a");
    proxy.halfOpen();
    const call = code(insert(mongo.call(), "b"));
    const began = performance.now();
    await mongo.close();
    expect(performance.now() - began).toBeLessThan(8 * DEADLINE);
    expect(await call).toBe("OUTCOME_UNKNOWN");
  });

  test("a killed server is found again", async (context) => {
    if (server.using === "address") context.skip("it belongs to somebody");
    const mongo = await connected(optionsFor(direct()));
    await insert(mongo.call(), "a");
    await server.restart();
    await eventually(async () => expect(await find(mongo.call(), "a")).not.toBeNull(), { patience: 15_000 });
  });

  test("a loss and a return are told, the first connection is not", async () => {
    const states: boolean[] = [];
    const mongo = new Connection(resolveOptions({ db, commandTimeout: DEADLINE, ...optionsFor(urlOf(proxy.port)) }));
    open.add(mongo);
    mongo.onState((up) => states.push(up));
    await mongo.open();
    await insert(mongo.call(), "a");
    expect(states).toEqual([]);
    proxy.loseReply();
    await rejection(insert(mongo.call(), "b"));
    await eventually(async () => expect(await code(find(mongo.call(), "a"))).toBe("done"));
    await eventually(() => expect(states).toEqual([false, true]));
    await mongo.close();
    expect(states).toEqual([false, true]);
  });
});

describe("each command", () => {
  test("brings its own concerns, whatever the client's are", async () => {
    const client = defaultClient(direct(), {
      monitorCommands: true,
      writeConcern: { w: 1, journal: false, wtimeoutMS: 77 },
      readConcern: { level: "available" },
      readPreference: "secondaryPreferred",
      ignoreUndefined: true,
      promoteLongs: false,
    });
    const seen: CommandStartedEvent[] = [];
    client.on("commandStarted", (event) => seen.push(event));
    const mongo = await connected({ client });
    seen.length = 0;
    const call = mongo.call();
    await insert(call, "a");
    await call.write(({ groups }) => groups.updateOne({ _id: "a", q: "q" }, { $inc: { index: 1 } }));
    await call.write(({ groups }) => groups.findOneAndUpdate({ _id: "a", q: "q" }, { $inc: { index: 1 } }));
    await call.write(({ groups }) => groups.bulkWrite([{ insertOne: { document: group("b") } }]));
    await call.write(({ groups }) => groups.deleteOne({ _id: "b", q: "q" }));
    const writes = seen.map(({ command }) => command["writeConcern"] as unknown);
    expect(writes).toEqual(Array.from({ length: 5 }, () => ({ w: "majority", wtimeout: 750, j: true })));
    seen.length = 0;
    expect(await find(call, "a")).toEqual({ ...group("a"), index: 2 });
    await call.read(({ groups }) => groups.aggregate([{ $match: { q: "q" } }]).toArray());
    expect(seen.map(({ command }) => command["readConcern"] as unknown)).toEqual([
      { level: "local" },
      { level: "local" },
    ]);
    const preferences = seen.map(({ command }) => JSON.stringify(command["$readPreference"] ?? "none"));
    for (const preference of preferences) expect(preference).not.toContain("secondary");
  });

  test("a duplicate key is passed on, a document over the limit is too large", async () => {
    const mongo = await connected(own(direct()));
    const call = mongo.call();
    await insert(call, "a");
    expect(isDuplicateKey(await rejection(insert(call, "a")))).toBe(true);
    const big = group("b", "x".repeat(18_000_000));
    const error = await rejection(mongo.call().write(({ groups }) => groups.insertOne(big)));
    expect(isPqError(error, "PAYLOAD_TOO_LARGE") && error.message).toContain("limit of 16,777,216 bytes");
    expect(everything(error).length).toBeLessThan(5000);
  });

  test("a borrowed client stays open, and nothing of ours stays on it", async () => {
    const client = defaultClient(direct());
    const mongo = await connected({ client });
    await insert(mongo.call(), "a");
    await mongo.close();
    expect(client.listenerCount("topologyDescriptionChanged")).toBe(0);
    expect(await client.db(db).collection("pq.groups").countDocuments()).toBe(1);
  });

  test("works over a client of another copy of the driver", async () => {
    const { MongoClient: Other } = otherDriver();
    const client = new Other(direct());
    clients.add(client);
    const mongo = await connected({ client });
    const p = new Binary(Buffer.from([1, 2]));
    const lane = { _id: "a", q: "q", g: "g", page: "p", v: "1", p };
    await mongo.call().write(({ lanes }) => lanes.insertOne(lane));
    const found = await mongo.call().read(({ lanes }) => lanes.findOne({ _id: "a", q: "q" }));
    expect(found?.p.buffer).toEqual(p.buffer);
    await insert(mongo.call(), "a");
    expect(isDuplicateKey(await rejection(insert(mongo.call(), "a")))).toBe(true);
  });
});

test("a server that says something new of itself has neither gone nor come back", async () => {
  let greetings = 0;
  const fake = await FakeMongod.listen((_, name) =>
    /^(ismaster|hello)$/i.test(name) ? { ...standalone, tags: { n: String(greetings++) } } : undefined,
  );
  const mongo = new Connection(resolveOptions({ url: fake.url, commandTimeout: 500 }));
  const states: boolean[] = [];
  mongo.onState((up) => states.push(up));
  await mongo.open();
  await eventually(() => expect(greetings).toBeGreaterThan(5));
  expect(states).toEqual([]);
  await mongo.close();
  await fake.close();
});

describe("opening", () => {
  test("names the address and the remedy when nobody listens, within its time", async () => {
    const free = await FaultProxy.listen({ port: 1 });
    await free.close();
    const mongo = new Connection(resolveOptions(`mongodb://joe:hush@127.0.0.1:${free.port}`));
    const began = performance.now();
    const error = await rejection(mongo.open());
    expect(isPqError(error, "UNAVAILABLE") && error.message).toBe(
      `cannot connect to 127.0.0.1:${free.port}: does the server run, and is the address right? (ECONNREFUSED)`,
    );
    expect(performance.now() - began).toBeLessThan(15_000);
    expect(everything(error)).not.toContain("hush");
  });

  test("ends also when something listens that never answers", async () => {
    const silent = await FakeMongod.listen(() => "silence");
    const mongo = new Connection(resolveOptions({ url: silent.url, commandTimeout: DEADLINE }));
    expect(await code(mongo.open())).toBe("UNAVAILABLE");
    await silent.close();
  });

  test("waits for a server that comes up late", async () => {
    const late = await FakeMongod.listen(() => undefined);
    late.refusing = true;
    const mongo = new Connection(resolveOptions({ url: late.url, commandTimeout: DEADLINE }));
    const opening = mongo.open();
    await eventually(() => expect(late.refused).toBeGreaterThan(1));
    late.refusing = false;
    await opening;
    await mongo.close();
    await late.close();
  });

  test("fails at once with a wrong login, which is in no message", async () => {
    const guarded = await FakeMongod.listen((_, name) =>
      name === "saslStart"
        ? { ok: 0, code: 18, codeName: "AuthenticationFailed", errmsg: "Authentication failed." }
        : undefined,
    );
    const url = guarded.url.replace("//", "//joe:hush@");
    const mongo = new Connection(resolveOptions(url));
    const began = performance.now();
    const error = await rejection(mongo.open());
    expect(isPqError(error, "UNAVAILABLE") && error.message).toContain("username or password are wrong");
    expect(performance.now() - began).toBeLessThan(5000);
    expect(everything(error)).not.toContain("hush");
    await guarded.close();
  });

  test("refuses a server that the driver is too new for", async () => {
    const old = await FakeMongod.listen((_, name) =>
      /^(ismaster|hello)$/i.test(name) ? { ...standalone, maxWireVersion: 8 } : undefined,
    );
    const error = await rejection(new Connection(resolveOptions(old.url)).open());
    expect(isPqError(error, "UNSUPPORTED") && error.message).toContain("MongoDB 4.4");
    await old.close();
  });

  test("refuses a borrowed client that its owner closed", async () => {
    const client = defaultClient(direct());
    await client.db(db).command({ ping: 1 });
    await client.close();
    const began = performance.now();
    const error = await rejection(new Connection(resolveOptions({ client })).open());
    expect(isPqError(error, "UNAVAILABLE") && error.message).toContain("Client must be connected");
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
