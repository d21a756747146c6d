import { Cluster, Redis, type RedisOptions as ClientOptions } from "ioredis";
import { expect, test } from "vitest";
import { resolveOptions } from "../src/options.ts";
import { slotOf } from "../src/slot.ts";

/** The options of ioredis that come out. */
function single(options: Parameters<typeof resolveOptions>[0]): ClientOptions {
  const { target } = resolveOptions(options);
  if (target.kind !== "single") throw new Error(`a ${target.kind}`);
  return target.options;
}

test("without options: the default server, prefix and times", () => {
  expect(resolveOptions()).toEqual({
    target: { kind: "single", options: { host: "127.0.0.1", port: 6379 } },
    address: "127.0.0.1:6379",
    prefix: "pq",
    durability: "server",
    commandTimeout: 5000,
  });
});

test.each([
  ["redis://example.org", { host: "example.org" }],
  ["redis://example.org:7000/3", { host: "example.org", port: 7000, db: 3 }],
  ["redis://[::1]:7000", { host: "::1", port: 7000 }],
  ["redis://user:p%40ss@h", { host: "h", username: "user", password: "p@ss" }],
  ["redis://:secret@h", { host: "h", password: "secret" }],
  ["rediss://h", { host: "h", tls: {} }],
  ["redis+unix:///run/redis%20one.sock?db=2", { path: "/run/redis one.sock", db: 2 }],
])("the url %s", (url, expected) => {
  expect(single(url)).toEqual({ host: "127.0.0.1", port: 6379, ...expected });
});

test("a url goes before the same fields of options, and leaves the others", () => {
  const options = { host: "other", port: 1, connectTimeout: 7 };
  expect(single({ url: "redis://h", options })).toEqual({ host: "h", port: 1, connectTimeout: 7 });
});

test("a url asks for TLS, options say which", () => {
  const tls = { ca: "…" };
  expect(single({ url: "rediss://h", options: { tls } }).tls).toEqual(tls);
  expect(single({ url: "redis://h", options: { tls } }).tls).toEqual(tls);
});

test.each([
  "http://hush@h",
  "nonsense hush",
  "redis://h/hush",
  "redis://h?password=hush",
  "redis+unix://hush/x",
  "redis+unix:///x?hush=1",
  "redis://h/1234567",
])("the url %s is refused without repeating it", (url) => {
  const attempt = (): unknown => resolveOptions(url);
  expect(attempt).toThrow(TypeError);
  expect(attempt).not.toThrow(/hush/);
});

test("addresses in messages have no secrets", () => {
  const login = { username: "joe", password: "hush" };
  expect(resolveOptions("redis://joe:hush@h:1").address).toBe("h:1");
  expect(resolveOptions({ options: { path: "/s", ...login } }).address).toBe("/s");
  const sentinels = [{ host: "a", port: 1 }, { host: "b" }];
  expect(resolveOptions({ options: { sentinels, name: "m", ...login } }).address).toBe(
    'master "m" of the sentinels a:1, b:26379',
  );
  const cluster = { nodes: ["a:1", { host: "b", port: 2 }], options: { redisOptions: login } };
  expect(resolveOptions({ cluster }).address).toBe("the cluster of a:1, b:2");
});

test.each<[object, string]>([
  [{ durabilty: "disk" }, '"durabilty"'],
  [{ host: "h" }, '"options"'],
  [{ durability: "safe" }, "durability"],
  [{ prefix: 1 }, "prefix"],
  [{ url: 1 }, "url"],
  [{ url: "redis://h", cluster: { nodes: ["h"] } }, "one of url"],
  [{ cluster: { nodes: [] } }, "cluster.nodes"],
  [{ cluster: { nodes: ["h:0"] } }, "cluster.nodes"],
  [{ cluster: { nodes: ["h"], options: { redisOptions: { keyPrefix: "x" } } } }, "keyPrefix"],
  [{ client: {} }, "client"],
  [{ options: { keyPrefix: "x:" } }, "keyPrefix"],
  [{ options: { readOnly: true } }, "readOnly"],
  [{ options: { monitor: true } }, "monitor"],
  [{ options: { sentinels: [{ host: "h" }] } }, "options.name"],
  [{ options: { sentinels: [{ host: "h" }], name: "m", role: "slave" } }, "role"],
  [{ commandTimeout: "5s" }, "commandTimeout"],
])("%j is a TypeError", (options, part) => {
  expect(() => resolveOptions(options)).toThrow(TypeError);
  expect(() => resolveOptions(options)).toThrow(part);
});

test.each<object>([
  { prefix: "" },
  { prefix: "a{b" },
  { prefix: "ä".repeat(33) },
  { commandTimeout: 10 },
  { commandTimeout: 600_001 },
  { commandTimeout: 100.5 },
])("%j is a RangeError", (options) => {
  expect(() => resolveOptions(options)).toThrow(RangeError);
});

test("a client is borrowed as it is, unless its settings change keys or replies", () => {
  const client = new Redis({ lazyConnect: true, host: "h", port: 1 });
  expect(resolveOptions({ client })).toMatchObject({ target: { kind: "borrowed", client }, address: "h:1" });
  const cluster = new Cluster(["h"], { lazyConnect: true });
  expect(resolveOptions({ client: cluster }).target).toEqual({ kind: "borrowed-cluster", client: cluster });
  for (const options of [{ keyPrefix: "x" }, { stringNumbers: true }, { replyMapping: "resp3" as const }]) {
    expect(() => resolveOptions({ client: new Redis({ lazyConnect: true, ...options }) })).toThrow(TypeError);
    const nodes = { lazyConnect: true, redisOptions: options };
    expect(() => resolveOptions({ client: new Cluster(["h"], nodes) })).toThrow(TypeError);
  }
});

/** With the examples of the specification of Redis Cluster; `clustered.test.ts` compares with a server. */
test.each([
  ["123456789", 12_739],
  ["foo", 12_182],
  ["{foo}bar", 12_182],
  ["a{foo}{bar}", 12_182],
  ["foo{}{bar}", 8363],
  ["foo{{bar}}zap", 4015],
])("the slot of %s", (key, slot) => {
  expect(slotOf(key)).toBe(slot);
});
