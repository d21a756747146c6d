import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Redis } from "ioredis";
import { isPqError, type PqErrorCode } from "@pq/core/backend";
import { eventually, FaultProxy } from "@pq/core/testing";
import { available, type RedisServer, startRedis } from "@pq/services";
import { type Connection, connection } from "../src/connection.ts";
import { type RedisOptions, resolveOptions } from "../src/options.ts";
import { fromText } from "../src/scripts/script.ts";
import { code } from "./support.ts";

const run = promisify(execFile);

const echo = fromText("echo", "return {KEYS[1], ARGV[1], 7}");
const there = await available("redis", "program");

const push = fromText("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])");
const big = fromText("big", "return #ARGV");

const isHandshake = /HELLO|SETINFO|setname|SETNAME|\r\ninfo\r\n/i;
const isRequest = (bytes: Uint8Array): boolean => !isHandshake.test(Buffer.from(bytes).toString("latin1"));

let server: RedisServer;
let proxy: FaultProxy;
const open = new Set<Connection>();
const clients = new Set<Redis>();

beforeEach(async (context) => {
  if (!there.available) context.skip(there.reason);
  server = await startRedis({ using: "program" });
  proxy = await FaultProxy.listen({ port: server.port, isRequest });
});

afterEach(async () => {
  for (const each of open) await each.close();
  for (const client of clients) client.disconnect();
  open.clear();
  clients.clear();
  // Not there when the test was skipped.
  await proxy?.close();
  await server?.close();
});

async function connected(options: RedisOptions): Promise<Connection> {
  const made = connection(resolveOptions(options));
  open.add(made);
  await made.open();
  return made;
}

/** A client as its users have it: with the defaults of ioredis. */
function defaultClient(port: number, options: object = {}): Redis {
  const client = new Redis({ host: "127.0.0.1", port, ...options });
  client.on("error", () => undefined);
  clients.add(client);
  return client;
}

/** How often a job got into the list, asked past the proxy. */
async function length(key: string): Promise<number> {
  const direct = defaultClient(server.port);
  return direct.llen(key);
}

/** For calls that are not answered, in ms; others have it on a busy machine too. Tests allow several times as long. */
const DEADLINE = 1000;

const own = (port: number, more: RedisOptions = {}): RedisOptions => ({
  options: { host: "127.0.0.1", port },
  commandTimeout: DEADLINE,
  ...more,
});
const borrowed = (port: number): RedisOptions => ({ client: defaultClient(port), commandTimeout: DEADLINE });

describe.each([
  ["own", own],
  ["borrowed with the defaults of ioredis", borrowed],
])("%s connection", (kind, optionsFor) => {
  test("runs scripts: replies are Buffers, numbers and arrays", async () => {
    const redis = await connected(optionsFor(server.port));
    const replies = await Promise.all([redis.run(echo, ["k"], ["a"]), redis.run(echo, ["k"], [Buffer.from([0, 255])])]);
    expect(replies).toEqual([
      [Buffer.from("k"), Buffer.from("a"), 7],
      [Buffer.from("k"), Buffer.from([0, 255]), 7],
    ]);
  });

  test("sends the text of a script that the server forgot, each time", async () => {
    const redis = await connected(optionsFor(server.port));
    for (let i = 1; i <= 3; i++) {
      await redis.command(null, "script", "flush");
      expect(await Promise.all([redis.run(push, ["l"], ["a"]), redis.run(push, ["l"], ["b"])])).toEqual([
        2 * i - 1,
        2 * i,
      ]);
    }
  });

  test("takes as many arguments as a large batch has", async () => {
    const redis = await connected(optionsFor(server.port));
    const args = Array.from({ length: 200_000 }, (_, i) => String(i));
    expect(await redis.run(big, ["k"], args.slice(0, 7000))).toBe(7000);
    // More than Lua's stack takes in ARGV? The server makes a table of them: no limit there.
    expect(await redis.run(big, ["k"], args)).toBe(200_000);
  });

  test("a lost reply is of unknown outcome, and nothing is sent twice by us", async () => {
    const redis = await connected(optionsFor(proxy.port));
    await redis.run(push, ["warm"], ["x"]);
    proxy.loseReply();
    expect(await code(redis.run(push, ["l"], ["a"]))).toBe("OUTCOME_UNKNOWN");
    expect(await eventually(() => redis.run(push, ["m"], ["b"]))).toBeGreaterThanOrEqual(1);
    // The defaults of ioredis send it again, which cannot be switched off in a client that is not ours.
    if (kind === "own") expect(await length("l")).toBe(1);
    else expect(await length("l")).toBeGreaterThanOrEqual(1);
  });

  test("a cut ends all calls in flight at once", async () => {
    const redis = await connected({ ...optionsFor(proxy.port), commandTimeout: 60_000 });
    proxy.delay(200);
    const calls = [1, 2, 3].map((i) => code(redis.run(push, ["l"], [String(i)])));
    await eventually(() => expect(proxy.statistics().connections).toBeGreaterThan(0));
    proxy.cut();
    expect(await Promise.all(calls)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    proxy.delay(0);
    expect(await code(redis.run(push, ["l"], ["4"]))).toBe("done");
  });

  test("while nothing can be reached, a call waits a moment and is not applied", async () => {
    const redis = await connected(optionsFor(proxy.port));
    const heal = proxy.refuse();
    proxy.cut();
    await eventually(async () => expect(await code(redis.run(push, ["l"], ["a"]))).toBe("UNAVAILABLE"));
    const began = performance.now();
    expect(await code(redis.run(push, ["l"], ["b"]))).toBe("UNAVAILABLE");
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(performance.now() - began).toBeLessThan(4 * DEADLINE);
    heal();
    await eventually(async () => expect(await code(redis.run(push, ["l"], ["c"]))).toBe("done"));
    expect(await length("l")).toBe(1);
  });

  test("a half-open connection is left after the deadline and made anew", async () => {
    const redis = await connected(optionsFor(proxy.port));
    await redis.run(push, ["l"], ["a"]);
    const heal = proxy.halfOpen();
    const began = performance.now();
    const calls = [1, 2, 3].map((i) => code(redis.run(push, ["l"], [String(i)])));
    expect(await Promise.all(calls)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(performance.now() - began).toBeLessThan(4 * DEADLINE);
    expect(await code(redis.run(push, ["l"], ["b"]))).toBe("UNAVAILABLE");
    heal();
    await eventually(async () => expect(await code(redis.run(push, ["l"], ["c"]))).toBe("done"), { patience: 15_000 });
  });

  test("a server that is stopped for a while loses nothing but time", async () => {
    const redis = await connected(optionsFor(server.port));
    const resume = server.pause();
    expect(await code(redis.run(push, ["l"], ["a"]))).toBe("OUTCOME_UNKNOWN");
    resume();
    await eventually(async () => expect(await code(redis.run(push, ["l"], ["b"]))).toBe("done"));
  });

  test("a killed server is found again", async () => {
    const redis = await connected(optionsFor(server.port));
    await redis.run(push, ["l"], ["a"]);
    await server.restart();
    expect(await eventually(() => redis.run(push, ["l"], ["b"]))).toBe(2);
  });

  test("CLIENT KILL is a loss like any other", async () => {
    const redis = await connected(optionsFor(server.port));
    const states: boolean[] = [];
    redis.onState((up) => states.push(up));
    const direct = defaultClient(server.port);
    await direct.call("client", "kill", "type", "normal", "skipme", "yes");
    await eventually(() => expect(states).toEqual([false, true]));
    expect(await code(redis.run(push, ["l"], ["a"]))).toBe("done");
  });

  test("a call of our own busy process is not taken for a late one", async () => {
    const redis = await connected(optionsFor(server.port));
    const call = code(redis.run(push, ["l"], ["a"]));
    const end = performance.now() + 2 * DEADLINE;
    // The reply comes while this process does not look.
    while (performance.now() < end);
    expect(await call).toBe("done");
  });

  test("close lets calls in flight end, and later ones are refused", async () => {
    const redis = await connected(optionsFor(proxy.port));
    proxy.delay(50);
    const call = redis.run(push, ["l"], ["a"]);
    await redis.close();
    expect(await call).toBe(1);
    expect(await code(redis.run(push, ["l"], ["b"]))).toBe("CLOSED");
    expect(await code(redis.command(null, "ping"))).toBe("CLOSED");
    await redis.close();
    proxy.delay(0);
    await redis.open();
    expect(await redis.run(push, ["l"], ["c"])).toBe(2);
  });

  test("close is bounded when nothing answers", async () => {
    const redis = await connected(optionsFor(proxy.port));
    await redis.run(push, ["l"], ["a"]);
    proxy.halfOpen();
    const call = code(redis.run(push, ["l"], ["b"]));
    const began = performance.now();
    await redis.close();
    expect(performance.now() - began).toBeLessThan(4 * DEADLINE);
    expect(await call).toBe("OUTCOME_UNKNOWN");
  });

  test("pops, waits, and gives up in time", async () => {
    const redis = await connected(optionsFor(server.port));
    const blocking = redis.blocking();
    const popped = blocking.pop("l", 5000);
    expect(await code(blocking.pop("l", 10))).toBe("INVALID_STATE");
    await redis.run(push, ["l"], ["a"]);
    expect(await popped).toEqual(Buffer.from("a"));
    expect(await blocking.pop("l", 30)).toBeNull();
    expect(await blocking.pop("l", 0)).toBeNull();
    await redis.run(push, ["l"], ["b"]);
    expect(await blocking.pop("l", 0)).toEqual(Buffer.from("b"));
    const last = code(blocking.pop("l", 60_000));
    await redis.close();
    expect(await last).toBe("CLOSED");
    expect(await code(blocking.pop("l", 0))).toBe("CLOSED");
  });

  test("a blocked connection that is lost, or half-open, is made anew", async () => {
    const redis = await connected(optionsFor(proxy.port));
    const blocking = redis.blocking();
    expect(await blocking.pop("l", 1)).toBeNull();
    const lost = code(blocking.pop("l", 60_000));
    proxy.cut();
    expect(await lost).toBe("UNAVAILABLE");
    expect(await eventually(() => blocking.pop("l", 1))).toBeNull();
    const heal = proxy.halfOpen();
    const began = performance.now();
    expect(await code(blocking.pop("l", 100))).toBe("UNAVAILABLE");
    expect(performance.now() - began).toBeLessThan(4 * DEADLINE);
    heal();
    expect(await eventually(() => blocking.pop("l", 1))).toBeNull();
  });
});

describe("opening", () => {
  test("names the address and the remedy when nobody listens, within its time", async () => {
    const free = await FaultProxy.listen({ port: 1 });
    await free.close();
    const redis = connection(resolveOptions({ options: { port: free.port, password: "hush" } }));
    const began = performance.now();
    await expect(redis.open()).rejects.toThrow(
      `cannot connect to 127.0.0.1:${free.port} (ECONNREFUSED): does the server run, and is the address right?`,
    );
    expect(performance.now() - began).toBeLessThan(5000);
  }, 20_000);

  test("a wrong password fails at once, and is in no message", async () => {
    const admin = defaultClient(server.port);
    await admin.config("SET", "requirepass", "right");
    const began = performance.now();
    const wrong = connection(resolveOptions(`redis://:hush@127.0.0.1:${server.port}`));
    const error = await wrong.open().catch((error: unknown) => error);
    expectError(error, "UNAVAILABLE", "password are wrong");
    const without = connection(resolveOptions(`redis://127.0.0.1:${server.port}`));
    await expect(without.open()).rejects.toThrow("it wants a password");
    expect(performance.now() - began).toBeLessThan(4000);
    expect(everything(error)).not.toContain("hush");
    const redis = await connected({ url: `redis://:right@127.0.0.1:${server.port}` });
    expect(await code(redis.run(push, ["l"], ["a"]))).toBe("done");
  });

  test("a server that comes up late is waited for", async () => {
    await server.stop();
    const redis = connection(resolveOptions(own(server.port)));
    open.add(redis);
    const opening = redis.open();
    await server.start();
    await opening;
    expect(await redis.run(push, ["l"], ["a"])).toBe(1);
  });

  test("a borrowed client that its owner closed is refused, and one that waits is connected", async () => {
    const lazy = defaultClient(server.port, { lazyConnect: true });
    const redis = await connected({ client: lazy });
    expect(await redis.run(push, ["l"], ["a"])).toBe(1);
    await redis.close();
    expect(lazy.status).toBe("ready");
    expect(["ready", "close", "end"].map((event) => lazy.listenerCount(event))).toEqual([0, 0, 0]);
    lazy.disconnect();
    await eventually(() => expect(lazy.status).toBe("end"));
    await expect(connection(resolveOptions({ client: lazy })).open()).rejects.toThrow("the borrowed client");
  });
});

describe("ways to connect", () => {
  test.each([2, 3] as const)("RESP%i", async (protocol) => {
    const redis = await connected({ options: { port: server.port, protocol } });
    const direct = defaultClient(server.port);
    expect(String(await direct.call("CLIENT", "LIST"))).toContain(`resp=${protocol}`);
    expect(await redis.run(echo, ["k"], ["a"])).toEqual([Buffer.from("k"), Buffer.from("a"), 7]);
    expect(await redis.command(null, "config", "get", "save")).toEqual([Buffer.from("save"), Buffer.from("")]);
  });

  test("a unix socket and a database", async () => {
    const redis = await connected({ url: `redis+unix://${server.socket}?db=3` });
    await redis.run(push, ["l"], ["a"]);
    const direct = defaultClient(server.port, { db: 3 });
    expect(await direct.llen("l")).toBe(1);
  });

  test("TLS, with the certificate checked", async (context) => {
    const folder = await mkdtemp(join(tmpdir(), "pq-tls-"));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const request = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "1",
    ];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    await run("openssl", [...request, ...subject, "-keyout", key, "-out", cert]);
    const admin = defaultClient(server.port);
    const settings = ["tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file", cert, "tls-auth-clients", "no"];
    const free = await FaultProxy.listen({ port: 1 });
    await free.close();
    try {
      await admin.call("config", "set", ...settings, "tls-port", String(free.port));
    } catch (error) {
      context.skip(`this server has no TLS: ${String(error)}`);
    }
    const ca = await readFile(cert, "utf8");
    const redis = await connected({ url: `rediss://127.0.0.1:${free.port}`, options: { tls: { ca } } });
    expect(await redis.run(push, ["l"], ["a"])).toBe(1);
    const blocking = redis.blocking();
    expect(String(await blocking.pop("l", 1000))).toBe("a");
    const strict = connection(resolveOptions(`rediss://127.0.0.1:${free.port}`));
    await expect(strict.open()).rejects.toThrow("DEPTH_ZERO_SELF_SIGNED_CERT");
    await rm(folder, { recursive: true });
  }, 20_000);

  test("a database that there is not is refused at once: nothing goes to another one", async () => {
    const redis = connection(resolveOptions({ options: { port: server.port, db: 99 } }));
    const began = performance.now();
    await expect(redis.open()).rejects.toThrow("DB index is out of range");
    expect(performance.now() - began).toBeLessThan(4000);
  });

  test("a user without rights gets the remedy, never the arguments", async () => {
    const admin = defaultClient(server.port);
    await admin.acl("SETUSER", "weak", "on", ">hush", "~pq*", "+@all", "-rpush");
    await admin.acl("SETUSER", "weaker", "on", ">hush", "~pq*", "+ping");
    const weak = await connected({ options: { port: server.port, username: "weak", password: "hush" } });
    const failed = await weak.run(push, ["pq"], ["secret payload"]).catch((error: unknown) => error);
    expectError(failed, "OUTCOME_UNKNOWN", "lacks rights");
    const foreign = await weak.run(echo, ["other"], ["secret payload"]).catch((error: unknown) => error);
    expectError(foreign, "UNAVAILABLE", "lacks rights");
    const weaker = await connected({ options: { port: server.port, username: "weaker", password: "hush" } });
    const refused = await weaker.run(push, ["pq"], ["secret payload"]).catch((error: unknown) => error);
    expectError(refused, "UNAVAILABLE", "lacks rights");
    for (const error of [failed, foreign, refused]) expect(everything(error)).not.toMatch(/secret|hush/);
  });
});

function expectError(error: unknown, code: PqErrorCode, part: string): void {
  expect(isPqError(error, code) ? error.message : error).toContain(part);
}

/** All that an error says, its causes and what hangs on them too. */
function everything(error: unknown): string {
  return inspect(error, { depth: 10, showHidden: true });
}
