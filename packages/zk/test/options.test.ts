import { expect, test } from "vitest";
import { zk } from "../src/index.ts";
import { newNativeClient } from "../src/native.ts";
import { resolveOptions } from "../src/options.ts";

test("everything has a default", () => {
  expect(resolveOptions()).toEqual({
    target: { kind: "own", hosts: "127.0.0.1:2181", sessionTimeout: 10_000 },
    address: "127.0.0.1:2181",
    root: "/pq",
    credentials: null,
    commandTimeout: 5000,
  });
});

test("a string is the hosts", () => {
  const several = "a.example:2181,[::1]:2182,10.0.0.1:1/some/app";
  expect(resolveOptions(several)).toEqual(resolveOptions({ hosts: several }));
  expect(resolveOptions(several)).toMatchObject({ address: several, target: { hosts: several } });
});

test("a client is borrowed as it is", () => {
  const client = newNativeClient();
  const { target, address } = resolveOptions({ client });
  expect(target).toEqual({ kind: "borrowed", client });
  expect(address).toBe("the borrowed client");
});

test.each<[object, string]>([
  [{ host: "h:1" }, '"host"'],
  [{ sesionTimeout: 5 }, '"sesionTimeout"'],
  [{ hosts: 1 }, "hosts"],
  [{ hosts: "" }, "hosts"],
  [{ hosts: "h" }, "hosts"],
  [{ hosts: "h:1," }, "hosts"],
  [{ hosts: "h:1 , g:2" }, "hosts"],
  [{ hosts: "zk://h:1" }, "hosts"],
  [{ root: 5 }, "root"],
  [{ client: {} }, "client"],
  [{ client: newNativeClient(), hosts: "h:1" }, "one of hosts and client"],
  [{ client: newNativeClient(), auth: { user: "u", password: "p" } }, "auth"],
  [{ client: newNativeClient(), sessionTimeout: 5000 }, "sessionTimeout"],
  [{ auth: "u:p" }, "auth"],
  [{ auth: { user: "u" } }, "auth"],
  [{ commandTimeout: "5s" }, "commandTimeout"],
  [[], "object of options"],
])("%s is a TypeError", (options, part) => {
  expect(() => resolveOptions(options)).toThrow(TypeError);
  expect(() => resolveOptions(options)).toThrow(part);
  expect(() => zk(options)).toThrow(TypeError);
});

test.each<object>([
  { root: "" },
  { root: "/" },
  { root: "pq" },
  { root: "/pq/" },
  { root: "/a//b" },
  { root: "/a/../b" },
  { root: "/." },
  { root: "/a b" },
  { root: "/a\0" },
  { root: "/ä" },
  { root: "/zookeeper/pq" },
  { root: `/${"x".repeat(200)}` },
  { hosts: "h:1/" },
  { hosts: "h:1/zookeeper" },
  { hosts: "h:1/a/../b" },
  { auth: { user: "", password: "p" } },
  { auth: { user: "a:b", password: "p" } },
  { commandTimeout: 49 },
  { commandTimeout: 600_001 },
  { commandTimeout: 100.5 },
  { commandTimeout: NaN },
  { sessionTimeout: 999 },
  { sessionTimeout: Infinity },
])("%j is a RangeError", (options) => {
  expect(() => resolveOptions(options)).toThrow(RangeError);
});

test.each(["/pq", "/a/b.c/d-e_f", "/zookeeper2", `/${"x".repeat(199)}`])("the root %s is taken", (root) => {
  expect(resolveOptions({ root }).root).toBe(root);
});

test("no error and no address repeats the password", () => {
  const auth = { user: "joe", password: "hush" };
  expect(resolveOptions({ auth }).credentials).toBe("joe:hush");
  expect(resolveOptions({ auth, hosts: "h:1" }).address).toBe("h:1");
  for (const options of [{ auth: { user: "a:b", password: "hush" } }, { auth, root: "x" }, { auth, hosts: "" }]) {
    expect(() => resolveOptions(options)).not.toThrow(/hush/);
  }
});
