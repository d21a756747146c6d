import { afterEach, describe, expect, test } from "vitest";
import type { Durability, Guarantees } from "@pq/core/backend";
import { isPqError } from "@pq/core/backend";
import { available, type RedisServer, startRedis } from "@pq/services";
import { eventually } from "@pq/core/testing";
import { type Connection, connection } from "../src/connection.ts";
import { judge, readGuarantees, type Verdict } from "../src/guarantees.ts";
import { type RedisOptions, resolveOptions } from "../src/options.ts";
import { fromText } from "../src/scripts/script.ts";
import type { ServerInfo } from "../src/server-info.ts";

const there = await available("redis", "program");
const valkey = await available("valkey", "program");

const push = fromText("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])");
const servers = new Set<RedisServer>();
const open = new Set<Connection>();

afterEach(async () => {
  for (const each of open) await each.close();
  for (const server of servers) await server.close();
  open.clear();
  servers.clear();
});

async function start(...args: string[]): Promise<RedisServer> {
  const server = await startRedis({ using: "program", args });
  servers.add(server);
  return server;
}

async function opened(options: RedisOptions): Promise<{ redis: Connection; guarantees: Guarantees }> {
  const resolved = resolveOptions(options);
  const redis = connection(resolved);
  open.add(redis);
  await redis.open();
  return { redis, guarantees: await readGuarantees(redis, resolved) };
}

describe.skipIf(!there.available)("real servers", () => {
  test.each<[Durability, string, string[]]>([
    ["disk", "", ["--appendfsync", "always"]],
    ["process", "no-appendfsync-on-rewrite", ["--no-appendfsync-on-rewrite", "yes"]],
    ["process", "appendfsync is everysec", ["--appendfsync", "everysec"]],
    ["process", "appendfsync is no", ["--appendfsync", "no"]],
    ["memory", "appendonly is off", ["--appendonly", "no"]],
    ["memory", "allkeys-lru", ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]],
    ["disk", "volatile-lru", ["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]],
    ["disk", "", ["--maxmemory", "100mb"]],
    ["disk", "", ["--maxmemory-policy", "allkeys-lru"]],
  ])("%s: %s %j", async (level, warning, args) => {
    const server = await start(...args);
    const { guarantees } = await opened({ url: server.url });
    expect(guarantees.durability).toBe(level);
    expect(guarantees.store).toBe(`Redis ${server.version}`);
    expect(guarantees.warnings.length).toBe(warning === "" ? 0 : 1);
    expect(guarantees.warnings.join()).toContain(warning);
  });

  test("a user who may not ask is promised less, and told so", async () => {
    const server = await start();
    const { redis } = await opened({ url: server.url });
    await redis.command(null, "acl", "setuser", "u", "on", ">p", "~*", "+@all", "-config");
    await redis.command(null, "acl", "setuser", "v", "on", ">p", "~*", "+@all", "-config", "-info");
    const options = { host: server.host, port: server.port, password: "p" };
    const user = await opened({ options: { ...options, username: "u" } });
    expect(user.guarantees).toMatchObject({ durability: "process", store: `Redis ${server.version}` });
    expect(user.guarantees.warnings.join()).toContain("CONFIG is not allowed");
    const lesser = await opened({ options: { ...options, username: "v" } });
    expect(lesser.guarantees.durability).toBe("memory");
    expect(lesser.guarantees.warnings.join()).toContain("INFO is not allowed");
  });

  test("a replica is refused", async () => {
    const master = await start();
    const replica = await start("--replicaof", master.host, String(master.port));
    await eventually(async () => {
      const error = await opened({ url: replica.url }).catch((error: unknown) => error);
      expect(isPqError(error, "UNAVAILABLE") ? error.message : error).toContain("is a replica: connect to its master");
    });
  });

  test("majority: a change waits for the replica, and is of unknown outcome without it", async () => {
    const master = await start();
    const lonely = await opened({ url: master.url, durability: "majority" });
    expect(lonely.guarantees.durability).toBe("disk");
    expect(lonely.guarantees.warnings.join()).toContain("add replicas");
    expect(await lonely.redis.run(push, ["l"], ["a"])).toBe(1);

    const replica = await start("--replicaof", master.host, String(master.port));
    await eventually(async () => {
      expect(String(await lonely.redis.command(null, "info", "replication"))).toContain("state=online");
    });
    const { redis, guarantees } = await opened({ url: master.url, durability: "majority", commandTimeout: 2000 });
    expect(guarantees.durability).toBe("majority");
    expect(await Promise.all([redis.run(push, ["l"], ["b"]), redis.run(push, ["l"], ["c"])])).toEqual([2, 3]);
    const resume = replica.pause();
    const error = await redis.run(push, ["l"], ["d"]).catch((error: unknown) => error);
    const expected = master.version < "7.2" ? "0 of 1 replicas have it" : "0 of 1 replicas have it on disk";
    expect(isPqError(error, "OUTCOME_UNKNOWN") ? error.message : error).toContain(expected);
    // What changes nothing need not wait.
    expect(await redis.run({ ...push, readOnly: true }, ["m"], ["x"])).toBe(1);
    resume();
    await eventually(async () => expect(await redis.run(push, ["l"], ["e"])).toBeGreaterThan(3));
  });

  test("disk: where it cannot be waited for, the warning says why", async () => {
    const server = await start("--appendonly", "no");
    const { guarantees } = await opened({ url: server.url, durability: "disk" });
    expect(guarantees.durability).toBe("memory");
    expect(guarantees.warnings).toHaveLength(2);
    expect(guarantees.warnings[1]).toContain("durability is disk, but it cannot be waited for");
  });
});

describe.skipIf(!valkey.available)("Valkey", () => {
  async function startValkey(...args: string[]): Promise<RedisServer> {
    const server = await startRedis({ flavour: "valkey", using: "program", args });
    servers.add(server);
    return server;
  }

  test("disk: every change is synced before it is told, also with everysec", async () => {
    const server = await startValkey("--appendfsync", "everysec");
    const plain = await opened({ url: server.url });
    expect(plain.guarantees).toMatchObject({ durability: "process", store: `Valkey ${server.version}` });
    const { redis, guarantees } = await opened({ url: server.url, durability: "disk" });
    expect(guarantees).toMatchObject({ durability: "disk", warnings: [] });
    const synced = async (): Promise<number> => Number(await redis.command(null, "waitaof", "0", "0", "1").then(first));
    expect(await redis.run(push, ["l"], ["a"])).toBe(1);
    expect(await synced()).toBe(1);
    // One that is not waited for is not on disk at first: the test can tell the two apart.
    await eventually(async () => {
      await redis.run({ ...push, readOnly: true }, ["l"], ["b"]);
      expect(await synced()).toBe(0);
    });
  }, 20_000);

  test("disk: with an append-only file that was switched off since, the outcome is unknown", async () => {
    const server = await startValkey("--appendfsync", "everysec");
    const { redis } = await opened({ url: server.url, durability: "disk" });
    await redis.command(null, "config", "set", "appendonly", "no");
    const error = await redis.run(push, ["l"], ["a"]).catch((error: unknown) => error);
    expect(isPqError(error, "OUTCOME_UNKNOWN") ? error.message : error).toContain("applied, but WAITAOF failed");
  });

  test("majority: on the disk of the replica too", async () => {
    const master = await startValkey();
    const replica = await startValkey("--replicaof", master.host, String(master.port));
    // A replica that has just copied everything first writes its append-only file anew, which takes a busy machine seconds.
    const patient = { url: master.url, durability: "majority" as const, commandTimeout: 30_000 };
    const { redis } = await opened({ url: master.url, commandTimeout: patient.commandTimeout });
    await eventually(async () => {
      expect(String(await redis.command(null, "info", "replication"))).toContain("state=online");
    });
    const guarantees = await readGuarantees(redis, resolveOptions(patient));
    expect(guarantees).toMatchObject({ durability: "majority", warnings: [] });
    expect(await redis.run(push, ["l"], ["a"])).toBe(1);
    const { redis: hasty } = await opened({ url: master.url, commandTimeout: 1000 });
    await readGuarantees(hasty, resolveOptions({ ...patient, commandTimeout: 1000 }));
    const resume = replica.pause();
    const error = await hasty.run(push, ["l"], ["b"]).catch((error: unknown) => error);
    expect(isPqError(error, "OUTCOME_UNKNOWN") ? error.message : error).toContain("0 of 1 replicas have it on disk");
    resume();
  }, 60_000);
});

function first(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[0] : undefined;
}

/** Servers that are not to be had everywhere. */
describe("judging", () => {
  const good: ServerInfo = {
    store: "Valkey 8.0.1",
    version: [7, 2],
    replica: false,
    clustered: false,
    aof: true,
    aofFailing: false,
    appendfsync: "everysec",
    noFsyncOnRewrite: false,
    maxmemory: 0,
    evictionPolicy: "noeviction",
    replicas: 0,
  };
  const verdict = (durability: "server" | "disk" | "majority", ...servers: Partial<ServerInfo>[]): Verdict =>
    judge(
      servers.map((each) => ({ ...good, ...each })),
      { address: "h:1", durability },
    );

  test("servers before 6.2 are refused", () => {
    expect(() => verdict("server", { version: [6, 0], store: "Redis 6.0.16" })).toThrow("h:1 is Redis 6.0.16");
    expect(verdict("server", { version: [6, 2], store: "Redis 6.2.0" }).store).toBe("Redis 6.2.0");
  });

  test("disk is reached by waiting, without a warning", () => {
    const { durability, warnings, confirmation } = verdict("disk", {});
    expect({ durability, warnings }).toEqual({ durability: "disk", warnings: [] });
    expect(confirmation).toMatchObject({ name: "WAITAOF", args: ["1", "0"] });
    expect(confirmation?.missing([1, 0])).toBeUndefined();
    expect(confirmation?.missing([0, 0])).toContain("the server does not have it on disk");
  });

  test("disk costs nothing where the server syncs by itself", () => {
    expect(verdict("disk", { appendfsync: "always" })).toMatchObject({ durability: "disk", confirmation: undefined });
  });

  test.each<Partial<ServerInfo>>([
    { aof: false },
    { aofFailing: true },
    { appendfsync: "no" },
    { version: [7, 0] },
    { maxmemory: 1, evictionPolicy: "allkeys-random" },
  ])("disk is not reached with %j", (server) => {
    const { durability, warnings } = verdict("disk", server);
    expect(["memory", "process"]).toContain(durability);
    expect(warnings.length).toBeGreaterThan(0);
  });

  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
  ])("with %i replicas a majority needs %i of them", (replicas, needed) => {
    const { durability, confirmation } = verdict("majority", { replicas });
    expect(durability).toBe("majority");
    expect(confirmation).toMatchObject({ name: "WAITAOF", args: ["1", String(needed)] });
    expect(confirmation?.missing([1, needed - 1])).toContain(`${needed - 1} of ${needed} replicas`);
    expect(confirmation?.missing([1, needed])).toBeUndefined();
    const older = verdict("majority", { replicas, version: [7, 0] });
    expect(older.confirmation).toMatchObject({ name: "WAIT", args: [String(needed)] });
    expect(older.warnings.join()).toContain("in memory, but not on disk");
  });

  test("the weakest node of a cluster counts", () => {
    const always = { appendfsync: "always" };
    expect(verdict("server", always, always).durability).toBe("disk");
    expect(verdict("server", always, { aof: false }).durability).toBe("memory");
    expect(verdict("majority", { replicas: 2 }, { replicas: 0 }).durability).toBe("process");
    expect(verdict("majority", { replicas: 1 }, { replicas: 3 }).confirmation?.args).toEqual(["1", "2"]);
  });
});
