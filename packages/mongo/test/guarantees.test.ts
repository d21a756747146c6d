import type { Document } from "mongodb";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type Durability, type Guarantees, systemClock } from "@pq/core/backend";
import { available, startMongo } from "@pq/services";
import { Connection } from "../src/connection.ts";
import { judge, readGuarantees } from "../src/guarantees.ts";
import { type MongoOptions, resolveOptions } from "../src/options.ts";
import type { ServerInfo } from "../src/server-info.ts";
import { FakeMongod, standalone } from "./fake-mongod.ts";
import { rejection } from "./support.ts";

const there = await available("mongo");
const server = there.available ? await startMongo({ storage: "memory" }) : undefined;

const servers = new Set<FakeMongod>();
const open = new Set<Connection>();

afterEach(async () => {
  for (const each of open) await each.close();
  for (const each of servers) await each.close();
  open.clear();
  servers.clear();
});
afterAll(() => server?.close());

async function ask(options: MongoOptions): Promise<{ guarantees: Guarantees; server: ServerInfo }> {
  const connection = new Connection(resolveOptions(options));
  open.add(connection);
  await connection.open();
  return readGuarantees(connection);
}

describe.skipIf(server === undefined)("a server that is to be had", () => {
  test.skipIf(server?.genuine)("a stand-in does not say what it keeps", async () => {
    const { guarantees, server: info } = await ask({ url: server?.url ?? "" });
    expect(guarantees).toEqual({
      durability: "memory",
      store: `MongoDB ${server?.version}`,
      warnings: [expect.stringContaining("serverStatus does not say") as string],
    });
    expect(info).toMatchObject({ kind: "standalone", transactions: false, changeStreams: false });
    // The same machine, so the same clock.
    expect(Math.abs(info.now - systemClock.now())).toBeLessThan(10_000);
  });

  // A stand-in has no storage engine and no replica set to ask about.
  test.skipIf(server?.genuine !== true)("a real one says that it keeps all on its disk", async () => {
    const { guarantees, server: info } = await ask({ url: server?.url ?? "" });
    expect(guarantees.store).toBe(`MongoDB ${server?.version}`);
    expect(guarantees.durability).toBe(info.members === 1 ? "disk" : "majority");
    expect(guarantees.warnings.join()).not.toContain("not allowed");
    expect(info).toMatchObject({ persistent: true, transactions: server?.replicaSet });
  });
});

/** Deployments that are not to be had everywhere: what they say, over a socket. */
describe("asking", () => {
  const unauthorized = { ok: 0, code: 13, codeName: "Unauthorized", errmsg: "not authorized" };
  const wiredTiger = { storageEngine: { name: "wiredTiger", persistent: true } };
  const set = { ...standalone, setName: "rs", hosts: ["a:1", "b:1"], arbiters: ["c:1"] };
  const config = {
    members: [{ votes: 1, arbiterOnly: false }, { votes: 1, arbiterOnly: false }, { votes: 1, arbiterOnly: true }, { votes: 0, arbiterOnly: false }],
    writeConcernMajorityJournalDefault: true,
  }; // prettier-ignore

  async function serve(answers: Readonly<Record<string, Document>>): Promise<MongoOptions> {
    const made = await FakeMongod.listen((_, name) => {
      const greets = /^(ismaster|hello)$/i.test(name);
      return answers[greets ? "hello" : name] ?? (greets ? standalone : { version: "7.0.12" });
    });
    servers.add(made);
    return { url: made.url };
  }

  test("one server with a disk", async () => {
    const { guarantees, server: info } = await ask(await serve({ serverStatus: wiredTiger }));
    expect(guarantees).toEqual({ durability: "disk", store: "MongoDB 7.0.12", warnings: [] });
    expect(info).toMatchObject({ kind: "standalone", version: [7, 0], members: 1, transactions: false });
  });

  test("a replica set", async () => {
    const all = { hello: set, serverStatus: wiredTiger, replSetGetConfig: { config } };
    const { guarantees, server: info } = await ask(await serve(all));
    expect(guarantees.durability).toBe("majority");
    expect(guarantees.warnings).toEqual([expect.stringContaining("There is an arbiter")]);
    expect(info).toMatchObject({
      kind: "replica set",
      members: 2,
      arbiters: 1,
      transactions: true,
      changeStreams: true,
    });
  });

  test("a replica set whose user may not ask", async () => {
    const all = { hello: set, buildInfo: unauthorized, serverStatus: unauthorized, replSetGetConfig: unauthorized };
    const { guarantees } = await ask(await serve(all));
    expect(guarantees).toMatchObject({ durability: "memory", store: "MongoDB of unknown version" });
    expect(guarantees.warnings.join()).toMatch(/serverStatus.*replSetGetConfig is not allowed.*clusterMonitor/);
  });

  test("a cluster", async () => {
    const router = { ...standalone, msg: "isdbgrid" };
    const shards = [{ _id: "a", host: "a/x:1,y:1,z:1" }, { _id: "b", host: "b/x:2,y:2" }];
    const { guarantees, server: info } = await ask(await serve({ hello: router, listShards: { shards } }));
    expect(guarantees).toEqual({ durability: "majority", store: "MongoDB 7.0.12", warnings: [] });
    expect(info).toMatchObject({ kind: "sharded cluster", members: 2, transactions: true, changeStreams: true });
    const blind = await ask(await serve({ hello: router, listShards: unauthorized }));
    expect(blind.guarantees).toMatchObject({ durability: "memory" });
    expect(blind.guarantees.warnings.join()).toContain("listShards is not allowed");
  }); // prettier-ignore

  test("a member that is not the primary is refused", async () => {
    const secondary = { ...set, isWritablePrimary: false, ismaster: false, secondary: true };
    const error = await rejection(ask(await serve({ hello: secondary })));
    expect(error).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("is not the primary") as string,
    });
  });
});

describe("judging", () => {
  const good: ServerInfo = {
    store: "MongoDB 7.0.12",
    version: [7, 0],
    kind: "replica set",
    writable: true,
    persistent: true,
    members: 3,
    arbiters: 0,
    majorityJournals: true,
    transactions: true,
    changeStreams: true,
    now: 0,
  };
  const judged = (differences: Partial<ServerInfo>): Guarantees => judge({ ...good, ...differences }, "h:1");

  test.each<[Durability, string, Partial<ServerInfo>]>([
    ["majority", "", {}],
    ["majority", "", { members: 2 }],
    ["majority", "writeConcernMajorityJournalDefault is false", { majorityJournals: false }],
    ["majority", "arbiter", { members: 2, arbiters: 1 }],
    ["majority", "keeps nothing on disk", { persistent: false }],
    ["majority", "serverStatus", { persistent: undefined }],
    ["disk", "only one voting member", { members: 1 }],
    ["disk", "replSetGetConfig is not allowed", { members: undefined, majorityJournals: undefined }],
    ["disk", "", { kind: "standalone", members: 1, majorityJournals: undefined }],
    ["memory", "keeps nothing on disk", { kind: "standalone", members: 1, persistent: false }],
    ["memory", "serverStatus", { kind: "standalone", members: 1, persistent: undefined }],
    ["majority", "", { kind: "sharded cluster", persistent: undefined, majorityJournals: undefined }],
    ["memory", "A shard has only one", { kind: "sharded cluster", persistent: undefined, members: 1 }],
    ["memory", "listShards is not allowed", { kind: "sharded cluster", persistent: undefined, members: undefined }],
  ])("%s, %s: %j", (durability, warning, differences) => {
    const { warnings, ...rest } = judged(differences);
    expect(rest).toEqual({ durability, store: "MongoDB 7.0.12" });
    expect(warnings.length).toBe(warning === "" ? 0 : 1);
    expect(warnings.join()).toContain(warning);
  });

  test("servers before 4.4 are refused", () => {
    expect(() => judged({ version: [4, 2], store: "MongoDB 4.2.24" })).toThrow("h:1 is MongoDB 4.2.24: at least");
    expect(judged({ version: [4, 4] }).durability).toBe("majority");
    expect(judged({ version: [0, 0] }).durability).toBe("majority");
  });
});
