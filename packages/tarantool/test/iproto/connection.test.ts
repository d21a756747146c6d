/** Connections to a real server. */
import { connect, createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FaultProxy } from "@pq/core/testing";
import { available, startTarantool, type TarantoolServer } from "@pq/services";
import { type Connection } from "../../src/iproto/connection.ts";
import { ConnectionLost, ServerError } from "../../src/iproto/errors.ts";
import { Extension, type Received, type Sendable } from "../../src/iproto/value.ts";
import { Connections, LONG, outcome, rejection } from "./support.ts";

const there = await available("tarantool", "program");

const FUNCTIONS = `
  function noop() end
  function echo(...) return ... end
  function text(length) return string.rep('x', length) end
  function nap(seconds) require('fiber').sleep(seconds) end
  function push() box.session.push('pushed') return 'returned' end
  function who() return box.session.user() end
  function note(key) noted = noted or {} noted[key] = true end
  function was_noted(key) return noted ~= nil and noted[key] == true end
`;

describe.skipIf(!there.available)("a connection to a server", { timeout: 60_000 }, () => {
  const connections = new Connections();
  const proxies: FaultProxy[] = [];
  let server: TarantoolServer;

  beforeAll(async () => {
    const init = `${FUNCTIONS} box.schema.user.grant('guest', 'execute', 'universe', nil, {if_not_exists = true})
      box.schema.user.create('nobody', {password = 'secret', if_not_exists = true})
      box.schema.user.create('empty', {password = '', if_not_exists = true})`;
    server = await startTarantool({ using: "program", walMode: "none", init });
  }, 60_000);

  afterEach(async () => {
    connections.closeAll();
    await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  });

  afterAll(() => server?.close());

  const login = (user: string | null, password: string | null): Promise<Connection> =>
    connections.connect(server, { user, password });
  const connected = (): Promise<Connection> => connections.connect(server);
  async function proxied(): Promise<{ proxy: FaultProxy; connection: Connection }> {
    const proxy = await FaultProxy.listen({ port: server.port });
    proxies.push(proxy);
    return { proxy, connection: await connections.connect(proxy) };
  }
  const echo = async (connection: Connection, ...args: Sendable[]): Promise<readonly Received[]> =>
    connection.call("echo", args, LONG);

  describe("login", () => {
    test.each([
      [null, null, "guest"],
      ["guest", null, "guest"],
      ["guest", "", "guest"],
      ["pq", "pq", "pq"],
    ])("as %s", async (user, password, name) => {
      const connection = await login(user, password);
      expect(connection.server).toMatch(/^Tarantool \d+\.\d+\.\d+.* \(Binary\)$/);
      expect(await connection.call("who", [], LONG).catch(String)).toEqual([Buffer.from(name)]);
    });

    test("as a user without a password", async () => {
      for (const password of [null, ""]) {
        const connection = await login("empty", password);
        await connection.ping(LONG);
      }
    });

    test.each([
      ["nobody", "hunter2", [47]],
      ["nobody", null, [47]],
      ["nobody", "", [47]],
      // Newer servers do not tell whether there is such a user.
      ["stranger", "hunter2", [45, 47]],
    ])("is refused to %s with %s", async (user, password, codes) => {
      const error = await rejection(login(user, password));
      expect(error).toBeInstanceOf(ServerError);
      expect(codes).toContain((error as ServerError).code);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("hunter2");
    });

    test("gives no more rights than the user has", async () => {
      const connection = await login("nobody", "secret");
      expect(await outcome(connection.call("noop", [], LONG))).toBe("error 42");
      expect(await outcome(connection.evaluate("return 1", [], LONG))).toBe("error 42");
      await connection.ping(LONG);
    });

    test("through a Unix socket", async () => {
      const folder = await mkdtemp(join(tmpdir(), "pq-iproto-"));
      const path = join(folder, "socket");
      const relay = createServer((client) => {
        const other = connect(server.port, server.host);
        client.pipe(other).pipe(client);
        client.on("error", () => other.destroy());
        other.on("error", () => client.destroy());
      });
      await new Promise<void>((resolve) => relay.listen(path, resolve));
      const connection = await connections.connect({ path });
      expect(await echo(connection, 1)).toEqual([1]);
      connection.close();
      await new Promise((resolve) => relay.close(resolve));
      expect((await rejection(connections.connect({ path }))).message).toMatch(/ENOENT|ECONNREFUSED/);
      await rm(folder, { recursive: true });
    });
  });

  describe("values", () => {
    test("all bytes, and many", async () => {
      const connection = await connected();
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const large = Buffer.alloc(2 ** 20, all);
      const [first, second, text] = await echo(connection, all, large, "é😀\0");
      expect([first, text]).toEqual([all, Buffer.from("é😀\0")]);
      expect(large.equals(second as Buffer)).toBe(true);
      expect(await connection.evaluate("local a = ... return type(a), #a", [all], LONG)).toEqual([
        Buffer.from("string"),
        256,
      ]);
    });

    test("numbers", async () => {
      const connection = await connected();
      const numbers = [0, 1, 127, 128, 65_536, 2 ** 32, 2 ** 53 - 1, 1e14 - 1, 1e14, 1e15 + 1, 1e300, 0.1];
      numbers.push(...numbers.map((number) => (number === 0 ? -32 : -number)), 5e-324, Infinity);
      expect(await echo(connection, ...numbers)).toEqual(numbers);
      // Lua makes integers of doubles that are whole.
      expect(await echo(connection, 2 ** 53, -(2 ** 60))).toEqual([2n ** 53n, -(2n ** 60n)]);
      expect(await echo(connection, NaN)).toEqual([NaN]);
    });

    test("integers beyond 2^53", async () => {
      const lua = "return 9007199254740992ULL, 18446744073709551615ULL, -9223372036854775807LL - 1";
      expect(await (await login("pq", "pq")).evaluate(lua, [], LONG)).toEqual([
        2n ** 53n,
        2n ** 64n - 1n,
        -(2n ** 63n),
      ]);
    });

    test("nil, booleans and arrays", async () => {
      const connection = await connected();
      const values = [null, [null, 1, null], [true, false], [[], [[1]]], null];
      expect(await echo(connection, ...values)).toEqual(values);
      expect(await connection.call("noop", [1, 2], LONG)).toEqual([]);
    });

    test("maps and extensions", async () => {
      const lua = "return {a = 1, ['__proto__'] = 2}, {[-7] = 'x'}, require('decimal').new('1.5')";
      const [first, second, decimal] = await (await login("pq", "pq")).evaluate(lua, [], LONG);
      expect((first as Map<string, Received>).get("__proto__")).toBe(2);
      expect((first as Map<string, Received>).get("a")).toBe(1);
      expect(second).toEqual(new Map([[-7, Buffer.from("x")]]));
      expect(decimal).toBeInstanceOf(Extension);
    });

    test("too deep ones are refused", async () => {
      const connection = await login("pq", "pq");
      const deep = "local t = {} for i = 1, ... do t = {t} end return t";
      await connection.evaluate(deep, [29], LONG);
      expect((await rejection(connection.evaluate(deep, [60], LONG))).message).toContain("nested");
      expect(connection.isOpen).toBe(false);
    });

    test("what cannot be sent leaves the connection as it is", async () => {
      const connection = await connected();
      const bad = connection.call("echo", ["x".repeat(100_000), undefined as never], LONG);
      const calls = [echo(connection, 1), bad.catch(() => "refused"), echo(connection, 2)];
      expect(await Promise.all(calls)).toEqual([[1], "refused", [2]]);
    });

    test("errors", async () => {
      const connection = await login("pq", "pq");
      const error = await rejection(connection.call("no_such", [], LONG));
      expect(error).toMatchObject({ name: "ServerError", code: 33 });
      expect(await rejection(connection.evaluate("error('boom')", [], LONG))).toMatchObject({
        code: 32,
        message: expect.stringContaining("boom") as string,
      });
      expect(await outcome(connection.evaluate("box.error(box.error.READONLY)", [], LONG))).toBe("error 7");
      await connection.ping(LONG);
    });

    test("what the server pushes is ignored", async () => {
      expect(await (await connected()).call("push", [], LONG)).toEqual([Buffer.from("returned")]);
    });
  });

  describe("many at once", () => {
    test("are answered each with its own", async () => {
      const connection = await connected();
      const calls = Array.from({ length: 3000 }, (_, i) => echo(connection, i, `n${i}`));
      expect(await Promise.all(calls)).toEqual(calls.map((_, i) => [i, Buffer.from(`n${i}`)]));
    });

    test.each([
      [1, 60_000],
      [7, 400_000],
      [32_768, 50_000_000],
    ])("in pieces of %d bytes, with an answer of %d", async (slice, length) => {
      const { proxy, connection } = await proxied();
      proxy.slice(slice);
      const large = connection.call("text", [length], LONG);
      const others = Array.from({ length: 200 }, (_, i) => echo(connection, i));
      expect(await Promise.all(others)).toEqual(others.map((_, i) => [i]));
      expect((await large)[0]).toHaveLength(length);
    });

    test("with large arguments", async () => {
      const connection = await connected();
      const sizes = [1, 16_383, 16_384, 65_536, 1_000_000, 3_000_000];
      const calls = sizes.map((size) => echo(connection, size, Buffer.alloc(size, size)));
      for (const [i, size] of sizes.entries()) {
        const bytes = (await calls[i]!)[1] as Buffer;
        expect(bytes.equals(Buffer.alloc(size, size))).toBe(true);
      }
    });
  });

  describe("deadlines", () => {
    test("end the connection, and all that is in flight", async () => {
      const connection = await connected();
      const ended = new Promise<Error>((resolve) => connection.onEnd(resolve));
      const calls = [connection.call("nap", [LONG], 100), connection.call("nap", [LONG], LONG)];
      const began = performance.now();
      const errors = await Promise.all(calls.map(rejection));
      const passed = performance.now() - began;
      expect(passed).toBeGreaterThanOrEqual(99);
      expect(passed).toBeLessThan(LONG / 4);
      for (const error of errors) {
        expect(error).toBeInstanceOf(ConnectionLost);
        expect(error).toMatchObject({ sent: true, message: "no answer within 100 ms" });
      }
      expect((await ended).message).toBe("no answer within 100 ms");
      expect(connection.isOpen).toBe(false);
    });

    test("of a call that may be late end only the call", async () => {
      const connection = await connected();
      const others = [1, 2, 3].map(() => outcome(connection.call("nap", [0.5], LONG)));
      const late = [50, 60, 200].map((timeout) => outcome(connection.call("nap", [0.4], timeout, true)));
      expect(await Promise.all(late)).toEqual(["lost", "lost", "lost"]);
      // Answers that come later are ignored.
      expect(await Promise.all(others)).toEqual(["answered", "answered", "answered"]);
      expect(connection.isOpen).toBe(true);
    });

    test("heed what has come while the process was busy", async () => {
      const connection = await connected();
      const calls = Array.from({ length: 100 }, (_, i) => outcome(connection.call("text", [1000 * i], 50)));
      await new Promise((resolve) => setTimeout(resolve, 10));
      calls.push(outcome(connection.call("noop", [], 50)));
      // Lets it be written, and then sleeps.
      await new Promise(setImmediate);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      expect(new Set(await Promise.all(calls))).toEqual(new Set(["answered"]));
    });

    test("differ", async () => {
      const connection = await connected();
      const times = [300, 100, 200, Infinity, 150];
      const order: number[] = [];
      const calls = times.map(async (timeout, i) => {
        await outcome(connection.call("nap", [i === 3 ? 0.4 : LONG], timeout, true));
        order.push(timeout);
      });
      await Promise.all(calls);
      expect(order).toEqual([100, 150, 200, 300, Infinity]);
    });
  });

  describe("a server that", () => {
    test("is killed leaves no call without an end", async () => {
      const connection = await connected();
      const ended = new Promise<Error>((resolve) => connection.onEnd(resolve));
      const calls = Array.from({ length: 500 }, (_, i) => outcome(connection.call("nap", [i < 20 ? 0 : LONG], LONG)));
      await Promise.all(calls.slice(0, 20));
      const large = [1, 2, 3].map(() => outcome(connection.call("text", [20_000_000], LONG)));
      await Promise.resolve();
      await server.kill();
      try {
        const outcomes = await Promise.all([...calls, ...large]);
        expect(outcomes.slice(0, 20)).toEqual(calls.slice(0, 20).map(() => "answered"));
        expect(new Set(outcomes.slice(20, 500))).toEqual(new Set(["lost"]));
        await ended;
        expect(await outcome(connection.ping(LONG))).toBe("not sent");
        expect((await rejection(connections.connect(server))).message).toContain("ECONNREFUSED");
      } finally {
        await server.start();
      }
      expect(await echo(await connected(), 1)).toEqual([1]);
    });

    test("stands still is told by the deadline", async () => {
      const connection = await connected();
      const resume = server.pause();
      try {
        expect(await outcome(connection.ping(100))).toBe("lost");
        expect((await rejection(connections.connect(server, { timeout: 100 }))).message).toContain("within 100 ms");
      } finally {
        resume();
      }
    });
  });

  describe("what was certainly not sent", () => {
    test("when the connection had ended", async () => {
      const connection = await connected();
      connection.close();
      expect(await outcome(connection.call("note", ["ended"], LONG))).toBe("not sent");
      expect(await (await connected()).call("was_noted", ["ended"], LONG)).toEqual([false]);
    });

    test("when it ends in the same turn", async () => {
      const connection = await connected();
      const call = outcome(connection.call("note", ["turn"], LONG));
      connection.close();
      expect(await call).toBe("not sent");
      expect(await (await connected()).call("was_noted", ["turn"], LONG)).toEqual([false]);
    });

    test("when the socket still had to write what was before", async () => {
      const connection = await connected();
      const resume = server.pause();
      let calls: Promise<string>[];
      try {
        calls = [outcome(connection.call("echo", [Buffer.alloc(50_000_000)], LONG))];
        await new Promise(setImmediate);
        calls.push(outcome(connection.call("note", ["behind"], LONG)));
        await new Promise((resolve) => setTimeout(resolve, 50));
        connection.close();
      } finally {
        resume();
      }
      expect(await Promise.all(calls)).toEqual(["lost", "not sent"]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await (await connected()).call("was_noted", ["behind"], LONG)).toEqual([false]);
    });

    test("and what waited is sent as soon as the socket can", async () => {
      const connection = await connected();
      const resume = server.pause();
      const calls = [connection.call("echo", [Buffer.alloc(50_000_000)], LONG)];
      for (let i = 0; i < 20; i++) {
        await new Promise(setImmediate);
        calls.push(echo(connection, i));
      }
      resume();
      const [large, ...others] = await Promise.all(calls);
      expect(large![0]).toHaveLength(50_000_000);
      expect(others).toEqual(others.map((_, i) => [i]));
    });
  });
});
