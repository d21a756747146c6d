import { type Document, MongoClient, MongoError } from "mongodb";
import { afterEach, describe, expect, test } from "vitest";
import { isPqError, type PqErrorCode, sleep, systemClock } from "@pq/core/backend";
import type { Call } from "../src/call.ts";
import { Connection } from "../src/connection.ts";
import { codeOf, isDuplicateKey } from "../src/errors.ts";
import { type MongoOptions, resolveOptions } from "../src/options.ts";
import { type Answer, FakeMongod, standalone } from "./fake-mongod.ts";
import { code, everything, group, otherDriver, rejection } from "./support.ts";

const servers = new Set<FakeMongod>();
const open = new Set<Connection>();
const clients = new Set<MongoClient>();

afterEach(async () => {
  for (const each of open) await each.close();
  for (const client of clients) await client.close();
  for (const server of servers) await server.close();
  for (const all of [open, clients, servers]) all.clear();
});

/** A server that answers these commands so, and all others well. */
async function serve(answers: Readonly<Record<string, Answer>> = {}): Promise<FakeMongod> {
  const server = await FakeMongod.listen((_, name) => answers[name]);
  servers.add(server);
  return server;
}

async function connected(options: MongoOptions): Promise<Connection> {
  const made = new Connection(resolveOptions({ commandTimeout: 1000, ...options }));
  open.add(made);
  await made.open();
  return made;
}

const insert = (call: Call): Promise<unknown> => call.write(({ groups }) => groups.insertOne(group("a", "secret")));
const find = (call: Call): Promise<unknown> => call.read(({ groups }) => groups.findOne({ _id: "a", q: "secret" }));

/** What servers say to an insert, and what became of it then. */
describe.each<[string, Document, PqErrorCode, string]>([
  ["no right", { ok: 0, code: 13, codeName: "Unauthorized", errmsg: "not authorized" }, "UNAVAILABLE", "lacks rights"],
  ["no primary", { ok: 0, code: 10_107, errmsg: "not primary" }, "UNAVAILABLE", "not the primary"],
  ["overload", { ok: 0, code: 462, errmsg: "too busy", errorLabels: ["SystemOverloadedError", "RetryableError"] }, "UNAVAILABLE", "not sent: too busy"],
  ["label NoWritesPerformed", { ok: 0, code: 91, errmsg: "shutting down", errorLabels: ["NoWritesPerformed"] }, "UNAVAILABLE", "shutting down"],
  ["shutdown", { ok: 0, code: 91, errmsg: "shutting down" }, "OUTCOME_UNKNOWN", "shutting down (91)"],
  ["interruption", { ok: 0, code: 11_602, errmsg: "interrupted" }, "OUTCOME_UNKNOWN", "interrupted (11602)"],
  ["wtimeout", { n: 1, writeConcernError: { code: 64, errmsg: "waiting for replication timed out", errInfo: { wtimeout: true } } }, "OUTCOME_UNKNOWN", "waiting for replication timed out (64)"],
  ["a mistake", { n: 0, writeErrors: [{ index: 0, code: 28, errmsg: "Cannot create field 'x' in element {s: \"secret\"}" }] }, "OUTCOME_UNKNOWN", "Cannot create field 'x' in element {…} (28)"],
  ["a validator", { n: 0, writeErrors: [{ index: 0, code: 121, errmsg: "Document failed validation", errInfo: { details: "secret" } }] }, "OUTCOME_UNKNOWN", "failed validation (121)"],
  ["too large a command", { ok: 0, code: 10_334, errmsg: "BSONObj size: 16777300 (0x1000054) is invalid. Size must be between 0 and 16793600(16MB)" }, "PAYLOAD_TOO_LARGE", "16,777,300 bytes is larger than the server's limit of 16,777,216"],
  ["too large a document", { n: 0, writeErrors: [{ index: 0, code: 2, errmsg: "object to insert too large. size in bytes: 16777300, max size: 16777216" }] }, "PAYLOAD_TOO_LARGE", "16,777,300 bytes"],
  ["too large by an update", { n: 0, writeErrors: [{ index: 0, code: 17_419, errmsg: "Resulting document after update is larger than 16777216" }] }, "PAYLOAD_TOO_LARGE", "16,777,216"],
])("%s", (_, answer, expected, words) => {
  test(`is ${expected}`, async () => {
    const mongo = await connected({ url: (await serve({ insert: answer })).url });
    const error = await rejection(insert(mongo.call()));
    expect(isPqError(error) && { code: error.code, message: error.message }).toEqual({
      code: expected,
      message: expect.stringContaining(words) as string,
    });
    expect(String(error)).toContain(mongo.address);
    expect(everything(error)).not.toContain("secret");
    expect(codeOf(error)).toBeTypeOf("number");
  });

  test("of a call that means nothing to its caller it is UNAVAILABLE, or too large", async () => {
    const mongo = await connected({ url: (await serve({ insert: answer })).url });
    const harmless = expected === "OUTCOME_UNKNOWN" ? "UNAVAILABLE" : expected;
    expect(await code(insert(mongo.call("read")))).toBe(harmless);
  });
}); // prettier-ignore

describe("over sockets", () => {
  test("a server that cuts: a write is of unknown outcome, a read is not", async () => {
    const mongo = await connected({ url: (await serve({ insert: "cut", find: "cut" })).url });
    expect(await code(insert(mongo.call()))).toBe("OUTCOME_UNKNOWN");
    const error = await rejection(find(mongo.call()));
    expect(isPqError(error, "UNAVAILABLE") && error.message).toContain("the connection was lost before the answer");
  });

  test("a server that never answers: the call ends by its deadline", async () => {
    const mongo = await connected({ url: (await serve({ insert: "silence", find: "silence" })).url });
    const began = performance.now();
    const both = await Promise.all([code(insert(mongo.call())), code(find(mongo.call()))]);
    expect(both).toEqual(["OUTCOME_UNKNOWN", "UNAVAILABLE"]);
    expect(performance.now() - began).toBeLessThan(4000);
  });

  test("a server that refuses new connections: nothing was sent", async () => {
    const server = await serve({ find: "cut" });
    const mongo = await connected({ url: server.url });
    server.refusing = true;
    await rejection(find(mongo.call()));
    expect(await code(insert(mongo.call()))).toBe("UNAVAILABLE");
    server.refusing = false;
    expect(await code(insert(mongo.call()))).toBe("done");
  });

  test("once a write of the call was applied, whatever follows is of unknown outcome", async () => {
    const mongo = await connected({ url: (await serve({ find: "cut", update: { ok: 0, code: 13 } })).url });
    const call = mongo.call();
    await insert(call);
    expect(await code(call.write(({ groups }) => groups.updateOne({ _id: "a" }, { $set: { index: 2 } })))).toBe(
      "OUTCOME_UNKNOWN",
    );
    expect(await code(find(call))).toBe("OUTCOME_UNKNOWN");
    expect(await code(find(mongo.call()))).toBe("UNAVAILABLE");
  });

  test("a write that was certainly not applied leaves the call as it was", async () => {
    const mongo = await connected({ url: (await serve({ insert: { ok: 0, code: 13 }, find: "cut" })).url });
    const call = mongo.call();
    expect(await code(insert(call))).toBe("UNAVAILABLE");
    expect(await code(find(call))).toBe("UNAVAILABLE");
  });

  test("a duplicate key is passed on, and known by its code", async () => {
    const duplicate = { code: 11_000, errmsg: "E11000 duplicate key error", keyValue: { _id: "a" } };
    const mongo = await connected({ url: (await serve({ insert: { n: 0, writeErrors: [duplicate] } })).url });
    const error = await rejection(insert(mongo.call()));
    expect(isPqError(error)).toBe(false);
    expect(isDuplicateKey(error)).toBe(true);
    expect(isDuplicateKey(new Error("E11000"))).toBe(false);
  });

  test.each([
    ["our", { MongoClient, MongoError }],
    ["another", otherDriver()],
  ])("with %s copy of the driver, withTransaction knows from the cause whether to run again", async (_, driver) => {
    const answer = { ok: 0, code: 251, errmsg: "no such transaction", errorLabels: ["TransientTransactionError"] };
    const client = new driver.MongoClient((await serve({ insert: answer })).url);
    clients.add(client);
    const mongo = await connected({ client });
    const error = await rejection(insert(mongo.call()));
    const cause = isPqError(error) ? error.cause : undefined;
    expect(cause).toBeInstanceOf(driver.MongoError);
    expect((cause as MongoError).hasErrorLabel("TransientTransactionError")).toBe(true);
  });

  test("a call whose time is over sends nothing more", async () => {
    const server = await serve();
    const mongo = await connected({ url: server.url, commandTimeout: 50 });
    const [late, lateAfterWrite] = [mongo.call(), mongo.call()];
    await insert(lateAfterWrite);
    await sleep(systemClock, 100);
    server.commands.length = 0;
    expect(await code(find(late))).toBe("UNAVAILABLE");
    expect(await code(insert(late))).toBe("UNAVAILABLE");
    expect(await code(find(lateAfterWrite))).toBe("OUTCOME_UNKNOWN");
    expect(server.commands).toEqual([]);
  });
});

describe("a borrowed client that repeats writes by itself", () => {
  /** A member of a replica set that takes retryable writes. */
  const primary = { ...standalone, setName: "rs", logicalSessionTimeoutMinutes: 30, primary: "h", hosts: ["h"] };

  async function borrowed(onInsert: () => Answer): Promise<Connection> {
    const server = await FakeMongod.listen((_, name) => {
      if (/^(ismaster|hello)$/i.test(name)) return { ...primary, me: "h" };
      return name === "insert" ? onInsert() : undefined;
    });
    servers.add(server);
    const client = new MongoClient(server.url, { serverSelectionTimeoutMS: 2000, minHeartbeatFrequencyMS: 50 });
    clients.add(client);
    return connected({ client, commandTimeout: 5000 });
  }

  test("an error of the last try says nothing of the first", async () => {
    const answers: Answer[] = ["cut", { ok: 0, code: 13, errmsg: "not authorized" }];
    const mongo = await borrowed(() => answers.shift() ?? {});
    const error = await rejection(insert(mongo.call()));
    expect(isPqError(error) && error.message).toContain("lacks rights");
    expect(isPqError(error) && error.code).toBe("OUTCOME_UNKNOWN");
  });

  test("nor does it when no server was found for it", async () => {
    const mongo = await borrowed(() => {
      for (const server of servers) server.refusing = true;
      return "cut";
    });
    expect(await code(insert(mongo.call()))).toBe("OUTCOME_UNKNOWN");
  });
});
