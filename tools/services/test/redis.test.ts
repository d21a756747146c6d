import { existsSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { available, type RedisServer, startRedis, stopEngine } from "../index.ts";
import { request } from "../resp.ts";
import { listens } from "./support.ts";

const LONG = 60_000;

const places = [
  { flavour: "redis", using: "program" },
  { flavour: "valkey", using: "program" },
  { flavour: "redis", using: "container" },
] as const;

afterAll(stopEngine, LONG);

for (const options of places) {
  const { available: isThere, reason } = await available(options.flavour, options.using);

  const title = `${options.flavour} from a ${options.using}${reason === "" ? "" : `: ${reason}`}`;

  describe.skipIf(!isThere)(title, () => {
    it("starts empty, says what it is, and is gone in the end", { timeout: LONG }, async () => {
      const server = await startRedis(options);
      try {
        expect(await request(server, "DBSIZE")).toBe(0);
        expect(server).toMatchObject(options);
        expect(server.version).toMatch(/^\d+\.\d+\.\d+$/);
        expect(server.source).toMatch(new RegExp(`^${options.using} .*${options.flavour}`));
        expect(server.url).toBe(`redis://${server.host}:${server.port}`);
        expect(server.host).toBe("127.0.0.1");
      } finally {
        await server.close();
      }
      expect(await listens(server)).toBe(false);
      expect(existsSync(server.folder ?? "/nowhere")).toBe(false);
    });

    it("takes arguments, which win over the defaults", { timeout: LONG }, async () => {
      const server = await startRedis({ ...options, args: ["--appendfsync", "everysec", "--maxmemory", "64mb"] });
      try {
        expect(await request(server, "CONFIG", "GET", "appendfsync")).toEqual(["appendfsync", "everysec"]);
        expect(await request(server, "CONFIG", "GET", "maxmemory")).toEqual(["maxmemory", String(64 * 1024 * 1024)]);
        expect(await request(server, "CONFIG", "GET", "appendonly")).toEqual(["appendonly", "yes"]);
      } finally {
        await server.close();
      }
    });
  });

  describe.skipIf(!isThere)(`${title}, with faults`, () => {
    it("keeps its data and its port over a SIGKILL and a new start", { timeout: LONG }, async () => {
      const server = await startRedis(options);
      try {
        const { port } = server;
        await request(server, "SET", "key", "välue");
        const before = await runId(server);
        await server.restart();
        expect(server.port).toBe(port);
        expect(await request(server, "GET", "key")).toBe("välue");
        expect(await runId(server)).not.toBe(before);

        await server.stop();
        expect(await listens(server)).toBe(false);
        await server.start();
        expect(await request(server, "GET", "key")).toBe("välue");
      } finally {
        await server.close();
      }
    });

    it("answers nothing while it is paused, and everything after", { timeout: LONG }, async () => {
      const server = await startRedis(options);
      try {
        const resume = server.pause();
        let answered = false;
        const answer = request(server, "PING").then((reply) => {
          answered = true;
          return reply;
        });
        // Real time must pass for an answer to be missing.
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect(answered).toBe(false);
        resume();
        expect(await answer).toBe("PONG");
      } finally {
        await server.close();
      }
    });

    it("can be removed while it is paused", { timeout: LONG }, async () => {
      const server = await startRedis(options);
      server.pause();
      await server.close();
      expect(await listens(server)).toBe(false);
    });
  });
}

const { available: hasProgram } = await available("redis", "program");

describe.skipIf(!hasProgram)("a program", () => {
  it("starts in a moment, many at once, each on a port of its own", async () => {
    const servers = await Promise.all(Array.from({ length: 10 }, async () => startRedis({ using: "program" })));
    try {
      expect(new Set(servers.map((server) => server.port)).size).toBe(10);
      const ids = await Promise.all(servers.map(runId));
      expect(new Set(ids).size).toBe(10);
    } finally {
      await Promise.all(servers.map(async (server) => server.close()));
    }
  });

  it("takes connections on a unix socket too", async () => {
    await using server = disposable(await startRedis({ using: "program" }));
    expect(await request(server, "CONFIG", "GET", "unixsocket")).toEqual(["unixsocket", server.socket]);
    expect(existsSync(server.socket!)).toBe(true);
  });

  it("that refuses its arguments says why", async () => {
    const start = startRedis({ using: "program", args: ["--no-such-setting", "yes"] });
    await expect(start).rejects.toThrow(/no-such-setting/);
  });

  it("that died by itself is started again", async () => {
    await using server = disposable(await startRedis({ using: "program" }));
    await request(server, "SET", "key", "value");
    await request(server, "SHUTDOWN", "NOSAVE").catch(() => "it closes the connection");
    await server.restart();
    expect(await request(server, "GET", "key")).toBe("value");
  });
});

describe.skipIf(!hasProgram)("an address", () => {
  it("is used first, and its server is not touched", async () => {
    await using server = disposable(await startRedis({ using: "program", args: ["--requirepass", "secret word"] }));
    const url = `redis://:secret%20word@127.0.0.1:${server.port}`;
    const before = process.env["PQ_REDIS_URL"];
    process.env["PQ_REDIS_URL"] = url;
    try {
      const other = await startRedis();
      expect(other).toMatchObject({ url, using: "address", source: "PQ_REDIS_URL", version: server.version });
      await expect(other.restart()).rejects.toThrow("PQ_REDIS_URL is not ours");
      expect(() => other.pause()).toThrow("not ours");
      await other.close();
      expect(await listens(server)).toBe(true);
    } finally {
      if (before === undefined) delete process.env["PQ_REDIS_URL"];
      else process.env["PQ_REDIS_URL"] = before;
    }
  });
});

async function runId(server: RedisServer): Promise<string> {
  return /^run_id:(\w+)/m.exec(String(await request(server, "INFO", "server")))![1]!;
}

function disposable(server: RedisServer): RedisServer & AsyncDisposable {
  return Object.assign(server, { [Symbol.asyncDispose]: async () => server.close() });
}
