import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { available, fourLetter, startZk, startZkEnsemble, stopEngine, Unavailable, type ZkServer } from "../index.ts";
import { kinds } from "../kinds.ts";
import { until } from "../wait.ts";
import { createNode, hasNode } from "./jute.ts";
import { startZkProgram } from "../zk-program.ts";
import { zkJars } from "../zk-jars.ts";
import { listens } from "./support.ts";

const LONG = 60_000;

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

afterAll(stopEngine, LONG);

for (const using of ["program", "container"] as const) {
  const { available: isThere, reason } = await available("zk", using);
  const title = `zk from a ${using}${reason === "" ? "" : `: ${reason}`}`;

  describe.skipIf(!isThere)(title, () => {
    it("starts empty, says what it is, and is gone in the end", { timeout: LONG }, async () => {
      const server = await startZk({ using });
      try {
        expect(server).toMatchObject({ using, host: "127.0.0.1", hosts: `127.0.0.1:${server.port}` });
        expect(server.version).toMatch(/^3\.\d+\.\d+$/);
        expect(server.source).toMatch(new RegExp(`^${using} .*(zookeeper|zk)`));
        expect(await ask(server, "ruok")).toBe("imok");
        expect(await ask(server, "srvr")).toMatch(/^Mode: standalone$/m);
        // Those that a new server has by itself.
        expect(await ask(server, "srvr")).toMatch(/^Node count: 5$/m);
      } finally {
        await server.close();
      }
      expect(await listens(server)).toBe(false);
      expect(existsSync(server.folder ?? "/nowhere")).toBe(false);
    });

    it("takes settings, which win over the defaults", { timeout: LONG }, async () => {
      const server = await startZk({ using, tickTime: 1000, config: { maxSessionTimeout: "30000" }, fsync: false });
      try {
        const conf = await ask(server, "conf");
        expect(conf).toMatch(/^tickTime=1000$/m);
        expect(conf).toMatch(/^minSessionTimeout=2000$/m);
        expect(conf).toMatch(/^maxSessionTimeout=30000$/m);
        expect(await ask(server, "envi")).toMatch(/^os\.memory\.max=2\d\dMB$/m);
      } finally {
        await server.close();
      }
    });
  });

  describe.skipIf(!isThere)(`${title}, with faults`, () => {
    it("keeps its data and its port over a SIGKILL and a new start", { timeout: LONG }, async () => {
      const server = await startZk({ using });
      try {
        const { port } = server;
        await createNode(server, "/kept");
        await server.restart();
        expect(server.port).toBe(port);
        expect(await hasNode(server, "/kept")).toBe(true);
        expect(await hasNode(server, "/other")).toBe(false);

        await server.kill();
        expect(await listens(server)).toBe(false);
        await server.start();
        expect(await hasNode(server, "/kept")).toBe(true);
      } finally {
        await server.close();
      }
    });

    it("answers nothing while it is paused, and everything after", { timeout: LONG }, async () => {
      const server = await startZk({ using });
      try {
        server.pause();
        await expect(fourLetter(server.host, server.port, "ruok", 300)).rejects.toThrow("did not answer ruok");
        server.resume();
        expect(await ask(server, "ruok")).toBe("imok");
        const resume = server.pause();
        const answer = fourLetter(server.host, server.port, "ruok", LONG);
        resume();
        expect(await answer).toBe("imok");
      } finally {
        await server.close();
      }
    });

    it("can be removed while it is paused", { timeout: LONG }, async () => {
      const server = await startZk({ using });
      server.pause();
      await server.close();
      expect(await listens(server)).toBe(false);
    });
  });
}

describe("a machine", () => {
  it("without Java says so", async () => {
    vi.stubEnv("CI", undefined);
    vi.stubEnv("PATH", "");
    vi.stubEnv("JAVA_HOME", undefined);
    vi.spyOn(process, "getuid").mockReturnValue(1000);
    const reason = "No zk server: there is no java on the PATH.";
    expect(await available("zk", "program")).toEqual({ available: false, reason });
    await expect(startZk({ using: "program" })).rejects.toThrow(Unavailable);
  });
});

const { available: hasProgram } = await available("zk", "program");

describe.skipIf(!hasProgram)("a program", () => {
  it("may be one of several, each on a port and a process of its own", { timeout: LONG }, async () => {
    const servers = await Promise.all(Array.from({ length: 3 }, async () => startZk({ using: "program" })));
    try {
      expect(new Set(servers.map((server) => server.port)).size).toBe(3);
      expect(new Set(servers.map((server) => server.pid)).size).toBe(3);
      expect(await readdir(join(servers[0]!.folder!, "data"))).toContain("version-2");
    } finally {
      await Promise.all(servers.map(async (server) => server.close()));
    }
    expect(servers.map((server) => server.pid)).toEqual([undefined, undefined, undefined]);
  });

  it("may come from Maven Central, without Debian's packages", { timeout: LONG }, async () => {
    const { debianPackages: _, ...kind } = { ...kinds.zk, files: ["/nowhere/zookeeper.jar"] };
    const server = await startZkProgram({}, kind);
    try {
      expect(server.version).toBe(zkJars.version);
      expect(server.source).toMatch(/^program .*java with .*\/pq-services\/zookeeper-.*\.jar$/);
      await createNode(server, "/kept");
      await server.restart();
      expect(await hasNode(server, "/kept")).toBe(true);
    } finally {
      await server.close();
    }
  });

  it("that refuses its settings says why", { timeout: LONG }, async () => {
    const start = startZk({ using: "program", config: { tickTime: "soon" } });
    await expect(start).rejects.toThrow(/ended with 2[^]*For input string: "soon"/);
  });
});

describe.skipIf(!hasProgram)("an address", () => {
  it("is used first, and its server is not touched", { timeout: LONG }, async () => {
    const server = await startZk({ using: "program" });
    try {
      const hosts = `${server.hosts},127.0.0.1:1/folder`;
      vi.stubEnv("PQ_ZK_HOSTS", hosts);
      const { version, host, port } = server;
      const other = await startZk();
      expect(other).toMatchObject({ hosts, host, port, version, using: "address", source: "PQ_ZK_HOSTS" });
      await expect(other.restart()).rejects.toThrow("PQ_ZK_HOSTS is not ours");
      expect(() => other.pause()).toThrow("not ours");
      await other.close();
      expect(await listens(server)).toBe(true);
    } finally {
      await server.close();
    }
  });

  it("where nobody answers is no reason to take another", async () => {
    vi.stubEnv("PQ_ZK_HOSTS", "127.0.0.1:1");
    await expect(startZk()).rejects.toThrow("ECONNREFUSED");
  });
});

describe.skipIf(!hasProgram)("an ensemble", () => {
  it("has a new leader when the old one is killed, and loses nothing", { timeout: LONG }, async () => {
    const ensemble = await startZkEnsemble();
    try {
      expect(ensemble.members).toHaveLength(3);
      expect(ensemble.hosts).toBe(ensemble.members.map(({ port }) => `127.0.0.1:${port}`).join(","));
      const first = await ensemble.leader();
      expect(await ask(first, "mntr")).toMatch(/^zk_synced_followers\t2(\.0)?$/m);
      await createNode(first, "/kept");

      await first.kill();
      const second = await ensemble.leader();
      expect(second).not.toBe(first);
      await ensemble.ready();
      expect(await hasNode(second, "/kept")).toBe(true);

      await first.start();
      await ensemble.ready();
      expect((await first.state()).mode).toBe("follower");
      expect(await hasNode(first, "/kept")).toBe(true);
    } finally {
      await ensemble.close();
    }
    expect(await Promise.all(ensemble.members.map(listens))).toEqual([false, false, false]);
  });

  it("has a new leader when the old one is paused, which follows later", { timeout: LONG }, async () => {
    const ensemble = await startZkEnsemble({ config: { syncLimit: "2" } });
    try {
      const first = await ensemble.leader();
      first.pause();
      expect(await ensemble.leader()).not.toBe(first);
      first.resume();
      await until("the old leader follows", async () => (await first.state()).mode === "follower");
    } finally {
      await ensemble.close();
    }
  });

  it("serves nobody without a majority", { timeout: LONG }, async () => {
    const ensemble = await startZkEnsemble();
    try {
      const [first, second, third] = ensemble.members;
      await Promise.all([first!.kill(), second!.kill()]);
      await until("the last does not serve", async () => (await third!.state()).mode === undefined);
      await first!.start();
      await ensemble.ready();
      expect([first, third]).toContain(await ensemble.leader());
    } finally {
      await ensemble.close();
    }
  });
});

async function ask({ host, port }: ZkServer, word: string): Promise<string> {
  return fourLetter(host, port, word);
}
