import { Socket } from "node:net";
import { expect, test } from "vitest";
import { tarantool } from "../src/index.ts";
import { resolveOptions } from "../src/options.ts";

const where = (options: Parameters<typeof resolveOptions>[0]): unknown =>
  resolveOptions(options).routes.map(({ address, user, password }) => ({ address, user, password }));

test("everything has a default", () => {
  const { routes, ...rest } = resolveOptions();
  expect(routes.map(({ address, user, password }) => ({ address, user, password }))).toEqual([
    { address: "127.0.0.1:3301", user: null, password: null },
  ]);
  expect(rest).toEqual({
    address: "127.0.0.1:3301",
    prefix: "pq",
    installScripts: true,
    durability: "server",
    leaseGrace: 1000,
    commandTimeout: 5000,
  });
});

test.each<[Parameters<typeof resolveOptions>[0], object[]]>([
  ["tarantool://h", [{ address: "h:3301", user: null, password: null }]],
  ["tarantool://u:p%40%2F@h:1/", [{ address: "h:1", user: "u", password: "p@/" }]],
  ["tarantool://u@[::1]:5", [{ address: "::1:5", user: "u", password: null }]],
  ["tarantool+unix://u:p@/run/a%20b.sock", [{ address: "/run/a b.sock", user: "u", password: "p" }]],
  ["tarantool+unix:///run/a.sock", [{ address: "/run/a.sock", user: null, password: null }]],
  [{ url: "tarantool://u:p@h:1", user: "v", password: "q" }, [{ address: "h:1", user: "v", password: "q" }]],
  [{ port: 5 }, [{ address: "127.0.0.1:5", user: null, password: null }]],
  [
    { url: ["tarantool://u:p@a", "tarantool://b:1", "tarantool://w:q@c"] },
    [
      { address: "a:3301", user: "u", password: "p" },
      { address: "b:1", user: "u", password: "p" },
      { address: "c:3301", user: "w", password: "q" },
    ],
  ],
])("%j", (options, expected) => {
  expect(where(options)).toEqual(expected);
});

test("a function makes each connection", () => {
  const connect = (): Socket => new Socket();
  const [route] = resolveOptions({ connect, user: "u", password: "p" }).routes;
  expect([route!.open, route!.user, route!.password]).toEqual([connect, "u", "p"]);
});

test.each<[unknown, string]>([
  [[], "object of options"],
  [null, "object of options"],
  [5, "object of options"],
  [{ hots: "h" }, '"hots"'],
  [{ ["__proto__x"]: 1 }, '"__proto__x"'],
  [{ constructor: 1 }, '"constructor"'],
  [{ url: 5 }, "url"],
  [{ url: [] }, "url"],
  [{ url: ["tarantool://h", 5] }, "url"],
  ["", "url"],
  ["h:1", "url"],
  ["http://h", "tarantool://"],
  ["tarantool://", "tarantool://"],
  ["tarantool://h:99999", "tarantool://"],
  ["tarantool://h/db", "nothing may follow"],
  ["tarantool+unix://h/path", "path of a socket"],
  ["tarantool+unix:///", "path of a socket"],
  ["tarantool+unix://u:p@h/path", "path of a socket"],
  ["tarantool+unix://u:p@socket/path", "path of a socket"],
  [{ url: "tarantool://h", host: "h" }, "one of url, host and connect"],
  [{ url: "tarantool://h", port: 1 }, "one of url, host and connect"],
  [{ host: "h", connect: () => new Socket() }, "one of url, host and connect"],
  [{ connect: {} }, "connect"],
  [{ host: "" }, "host"],
  [{ host: 1 }, "host"],
  [{ port: "3301" }, "port"],
  [{ user: "" }, "user"],
  [{ password: 5 }, "password"],
  [{ prefix: 5 }, "prefix"],
  [{ installScripts: "no" }, "installScripts"],
  [{ durability: "disk" }, "durability"],
  [{ leaseGrace: "1s" }, "leaseGrace"],
  [{ commandTimeout: true }, "commandTimeout"],
])("%j is a TypeError", (options, part) => {
  const resolve = (): unknown => resolveOptions(options as object);
  expect(resolve).toThrow(TypeError);
  expect(resolve).toThrow(part);
  expect(() => tarantool(options as object)).toThrow(TypeError);
});

test.each<object>([
  { port: 0 },
  { port: 65_536 },
  { port: 1.5 },
  { prefix: "" },
  { prefix: "1a" },
  { prefix: "a-b" },
  { prefix: "a b" },
  { prefix: "ä" },
  { prefix: "a'..x.." },
  { prefix: "x".repeat(33) },
  { leaseGrace: -1 },
  { leaseGrace: 0.5 },
  { leaseGrace: 600_001 },
  { commandTimeout: 49 },
  { commandTimeout: Infinity },
  { commandTimeout: NaN },
])("%j is a RangeError", (options) => {
  expect(() => resolveOptions(options)).toThrow(RangeError);
  expect(() => tarantool(options)).toThrow(RangeError);
});

test.each(["pq", "_", "A1_b", "x".repeat(32), "constructor", "__proto__"])("the prefix %s is taken", (prefix) => {
  expect(resolveOptions({ prefix }).prefix).toBe(prefix);
});

test("no error and no address repeats a password", () => {
  expect(resolveOptions("tarantool://joe:hush@h:1").address).toBe("h:1");
  for (const url of ["http://joe:hush@h", "tarantool://joe:hush@h:x", "tarantool://joe:hush@h/db", "joe:hush@h"]) {
    expect(() => resolveOptions(url)).toThrow(TypeError);
    expect(() => resolveOptions(url)).not.toThrow(/hush/);
  }
});
