import { Redis } from "ioredis";
import { eventually } from "@pq/core/testing";
import { available, type Sentinels, startSentinels } from "@pq/services";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Connection, connection } from "../src/connection.ts";
import { type RedisOptions, resolveOptions } from "../src/options.ts";
import { fromText } from "../src/scripts/script.ts";
import { code } from "./support.ts";

const there = await available("redis", "program");

const push = fromText("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])");

let watched: Sentinels;
let redis: Connection | undefined;
let client: Redis | undefined;

beforeEach(async (context) => {
  if (!there.available) context.skip(there.reason);
  watched = await startSentinels({ replicas: 1 });
}, 60_000);

afterEach(async () => {
  await redis?.close();
  client?.disconnect();
  await watched?.close();
});

test.each<[string, () => RedisOptions]>([
  ["own", () => ({ options: { sentinels: [...watched.sentinels], name: watched.name } })],
  [
    "borrowed",
    () => {
      client = new Redis({ sentinels: [...watched.sentinels], name: watched.name });
      client.on("error", () => undefined);
      return { client };
    },
  ],
])(
  "%s: calls and a blocked connection follow a failover",
  async (_, options) => {
    redis = connection(resolveOptions({ commandTimeout: 500, ...options() }));
    await redis.open();
    const states: boolean[] = [];
    redis.onState((up) => states.push(up));
    const blocking = redis.blocking();
    expect(await redis.run(push, ["l"], ["a"])).toBe(1);
    expect(String(await blocking.pop("l", 1000))).toBe("a");
    const lost = code(blocking.pop("m", 60_000));
    const before = watched.master.port;
    await watched.failover();
    expect(watched.master.port).not.toBe(before);
    expect(await lost).toBe("UNAVAILABLE");
    const now = redis;
    await eventually(async () => expect(await code(now.run(push, ["m"], ["b"]))).toBe("done"), { patience: 20_000 });
    const element = await eventually(() => blocking.pop("m", 100), { patience: 20_000 });
    expect(String(element)).toBe("b");
    expect(states.at(-1)).toBe(true);
  },
  60_000,
);

test("without any sentinel, opening says who is missing", async () => {
  const options = { sentinels: [{ host: "127.0.0.1", port: 1 }], name: "pq" };
  redis = connection(resolveOptions({ options }));
  await expect(redis.open()).rejects.toThrow('master "pq" of the sentinels 127.0.0.1:1');
}, 30_000);
