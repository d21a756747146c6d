import { Cluster, Redis } from "ioredis";
import { eventually } from "@pq/core/testing";
import { available, type RedisCluster, startRedis, startRedisCluster } from "@pq/services";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Connection, connection } from "../src/connection.ts";
import { readGuarantees } from "../src/guarantees.ts";
import { type RedisOptions, resolveOptions } from "../src/options.ts";
import { fromText } from "../src/scripts/script.ts";
import { slotOf } from "../src/slot.ts";
import { code } from "./support.ts";

const there = await available("redis", "program");

const push = fromText("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])");

let servers: RedisCluster;
const open = new Set<Connection>();
const clients = new Set<Redis | Cluster>();

afterEach(async () => {
  for (const each of open) await each.close();
  for (const client of clients) client.disconnect();
  open.clear();
  clients.clear();
});

async function connected(options: RedisOptions): Promise<Connection> {
  const made = connection(resolveOptions({ commandTimeout: 500, ...options }));
  open.add(made);
  await made.open();
  return made;
}

function addresses(): { host: string; port: number }[] {
  return servers.nodes.map(({ host, port }) => ({ host, port }));
}

function direct({ port }: { readonly port: number }): Redis {
  const client = new Redis({ port });
  client.on("error", () => undefined);
  clients.add(client);
  return client;
}

/** The master that says that it has the slot of a key itself (what it says of others may be old), and one that does not. */
async function owner(key: string): Promise<{ readonly has: Redis; readonly other: Redis }> {
  const slot = slotOf(key);
  const found: [boolean, Redis][] = [];
  for (const master of servers.masters) {
    const client = direct(master);
    const ranges = await client.cluster("SLOTS");
    const range = ranges.find(([from, to]) => slot >= from && slot <= to);
    found.push([range?.[2]?.[1] === master.port, client]);
  }
  const [[, has] = [], [, other] = []] = [found.find(([own]) => own), found.find(([own]) => !own)];
  if (has === undefined || other === undefined) throw new Error(`nobody, or everybody, has slot ${slot}`);
  return { has, other };
}

/** Begin to move a slot, as an operator does. Resolves with the rest of it. */
async function migrate(key: string): Promise<() => Promise<void>> {
  const slot = String(slotOf(key));
  const { has, other } = await owner(key);
  const [from, to] = [await has.cluster("MYID"), await other.cluster("MYID")];
  await other.call("cluster", "setslot", slot, "importing", from);
  await has.call("cluster", "setslot", slot, "migrating", to);
  return async () => {
    await has.call("migrate", "127.0.0.1", String(other.options.port), key, "0", "5000");
    await other.call("cluster", "setslot", slot, "node", to);
    await has.call("cluster", "setslot", slot, "node", to);
  };
}

let count = 0;
const freshKey = (): string => `{clustered ${count++}}:list`;

const ways: [string, () => RedisOptions][] = [
  ["own", () => ({ cluster: { nodes: addresses() } })],
  [
    "borrowed with the defaults of ioredis",
    () => {
      const client = new Cluster(addresses());
      client.on("error", () => undefined);
      clients.add(client);
      return { client };
    },
  ],
];

describe.skipIf(!there.available)("one cluster", () => {
  beforeAll(async () => {
    servers = await startRedisCluster({ replicas: 1 });
  }, 60_000);

  afterAll(async () => servers.close());

  test("a key is in the slot that the server says", async () => {
    const node = direct(servers.nodes[0] ?? { port: 0 });
    for (const key of [
      "",
      "a",
      "{a}b",
      "{}a",
      "a{}{b}",
      "{",
      "}{",
      "{a}",
      "ä{ö}",
      "x".repeat(300),
      "pq:{queue}:ready",
    ]) {
      expect([key, slotOf(key)]).toEqual([key, await node.cluster("KEYSLOT", key)]);
    }
  });

  describe.each(ways)("%s", (kind, optionsFor) => {
    test("each key finds its node, and each node gets to know the script", async () => {
      const redis = await connected(optionsFor());
      const keys = Array.from({ length: 30 }, freshKey);
      expect(await Promise.all(keys.map((key) => redis.run(push, [key], ["a"])))).toEqual(keys.map(() => 1));
      expect(await Promise.all(keys.map((key) => redis.command(key, "llen", key)))).toEqual(keys.map(() => 1));
      expect(await redis.servers()).toHaveLength(servers.masters.length);
    });

    test("follows a slot that was moved, and one that is being moved", async () => {
      const redis = await connected(optionsFor());
      const [key, moved] = [freshKey(), freshKey()];
      await redis.run(push, [moved], ["a"]);
      const finish = await migrate(moved);
      await finish();
      expect(await redis.run(push, [moved], ["b"])).toBe(2);
      expect(await redis.run(push, [moved], ["c"])).toBe(3);
      // A key that is not there is asked for at the new place.
      const finishKey = await migrate(key);
      expect(await redis.run(push, [key], ["a"])).toBe(1);
      expect(await redis.run(push, [key], ["b"])).toBe(2);
      await finishKey();
      expect(await redis.run(push, [key], ["c"])).toBe(3);
    });

    test("a connection that blocks goes to the node of its key, and follows it", async () => {
      const redis = await connected(optionsFor());
      const key = freshKey();
      const blocking = redis.blocking();
      const popped = blocking.pop(key, 5000);
      await redis.run(push, [key], ["a"]);
      expect(String(await popped)).toBe("a");
      const lost = code(blocking.pop(key, 20_000));
      await (
        await migrate(key)
      )();
      expect(await lost).toBe("UNAVAILABLE");
      const again = eventually(async () => {
        const element = await blocking.pop(key, 500);
        if (element === null) throw new Error("nothing yet");
        return String(element);
      });
      await redis.run(push, [key], ["b"]);
      expect(await again).toBe("b");
    });

    test("majority: each node waits for its own replicas", async () => {
      const options = { ...optionsFor(), durability: "majority" as const };
      const redis = await connected({ ...options, commandTimeout: 5000 });
      const guarantees = await eventually(async () => {
        const found = await readGuarantees(redis, resolveOptions(options));
        expect(found.durability).toBe("majority");
        return found;
      });
      expect(guarantees.store).toMatch(/^Redis 7/);
      const keys = Array.from({ length: 9 }, freshKey);
      expect(await Promise.all(keys.map((key) => redis.run(push, [key], ["a"])))).toEqual(keys.map(() => 1));
      // What was sent on by the cluster cannot be confirmed, since nobody says who did it.
      const [moved = ""] = keys;
      await (
        await migrate(moved)
      )();
      expect(await code(redis.run(push, [moved], ["b"]))).toBe("OUTCOME_UNKNOWN");
      expect(await redis.run(push, [moved], ["c"])).toBe(3);
    });

    test(`closing leaves ${kind === "own" ? "nothing" : "the client"} behind`, async () => {
      const options = optionsFor();
      const redis = await connected(options);
      await redis.run(push, [freshKey()], ["a"]);
      await redis.close();
      expect(await code(redis.run(push, [freshKey()], ["a"]))).toBe("CLOSED");
      if (options.client !== undefined) {
        expect(options.client.status).toBe("ready");
        expect(["+node", "-node", "node error"].map((event) => options.client?.listenerCount(event))).toEqual([
          0, 0, 0,
        ]);
      }
      await redis.open();
      expect(await code(redis.run(push, [freshKey()], ["a"]))).toBe("done");
    });
  });
});

describe.skipIf(!there.available).each(ways)("faults, %s", (_kind, optionsFor) => {
  beforeEach(async () => {
    servers = await startRedisCluster({ replicas: 1 });
  }, 60_000);

  afterEach(async () => servers.close());

  test("a node that dies ends its calls at once, and is found again", async () => {
    const redis = await connected({ ...optionsFor(), commandTimeout: 60_000 });
    const key = freshKey();
    await redis.run(push, [key], ["a"]);
    const { has } = await owner(key);
    const server = servers.nodes.find(({ port }) => port === has.options.port);
    // It answers no more, and then it dies.
    server?.pause();
    const call = code(redis.run(push, [key], ["b"]));
    await server?.restart();
    expect(await call).toBe("OUTCOME_UNKNOWN");
    await servers.ready();
    await eventually(async () => expect(await code(redis.run(push, [key], ["c"]))).toBe("done"), { patience: 15_000 });
    expect(await redis.command(key, "llen", key)).toBeLessThanOrEqual(3);
  });

  test("a node that hangs is left after the deadline, those of others go on", async () => {
    const redis = await connected(optionsFor());
    const key = freshKey();
    await redis.run(push, [key], ["a"]);
    const foreign = await elsewhere(key);
    await redis.run(push, [foreign], ["a"]);
    const { has } = await owner(key);
    const server = servers.nodes.find(({ port }) => port === has.options.port);
    const resume = server?.pause();
    const began = performance.now();
    expect(await code(redis.run(push, [key], ["b"]))).toBe("OUTCOME_UNKNOWN");
    expect(performance.now() - began).toBeLessThan(4000);
    expect(await code(redis.run(push, [foreign], ["a"]))).toBe("done");
    resume?.();
    await servers.ready();
    await eventually(async () => expect(await code(redis.run(push, [key], ["c"]))).toBe("done"), { patience: 15_000 });
  });

  test("a dead master is replaced by its replica", async () => {
    const redis = await connected(optionsFor());
    const key = freshKey();
    await redis.run(push, [key], ["a"]);
    const { has } = await owner(key);
    const server = servers.nodes.find(({ port }) => port === has.options.port);
    await server?.stop();
    const codes = new Set<string>();
    await eventually(
      async () => {
        const result = await code(redis.run(push, [key], ["b"]));
        codes.add(result);
        expect(result).toBe("done");
      },
      { patience: 20_000 },
    );
    expect([...codes].filter((each) => !["done", "UNAVAILABLE", "OUTCOME_UNKNOWN"].includes(each))).toEqual([]);
    await server?.start();
    await servers.ready();
  }, 30_000);
});

test.skipIf(!there.available)(
  "a server that is no cluster is refused with the reason",
  async () => {
    const server = await startRedis({ using: "program" });
    try {
      const redis = connection(resolveOptions({ cluster: { nodes: [`${server.host}:${server.port}`] } }));
      await expect(redis.open()).rejects.toThrow("cluster support disabled");
    } finally {
      await server.close();
    }
  },
  20_000,
);

/** A key on another node than this one's. */
async function elsewhere(key: string): Promise<string> {
  const { has } = await owner(key);
  for (;;) {
    const candidate = freshKey();
    if ((await owner(candidate)).has.options.port !== has.options.port) return candidate;
  }
}
