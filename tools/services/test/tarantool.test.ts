import { existsSync } from "node:fs";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { machineHasEngine } from "../engine.ts";
import { isNamed } from "../find.ts";
import {
  available,
  startTarantool,
  startTarantoolReplicaSet,
  stopEngine,
  type TarantoolServer,
  Unavailable,
} from "../index.ts";
import { kinds } from "../kinds.ts";
import { listens } from "./support.ts";

const LONG = 60_000;
const MAKE = "box.schema.space.create('jobs', {if_not_exists = true}):create_index('id', {if_not_exists = true})";

// To build an image takes many times as long as all else here.
const hasImages = isNamed(kinds.tarantool, "container") || (await machineHasEngine());
const places = hasImages ? (["program", "container"] as const) : (["program"] as const);

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

afterAll(stopEngine, LONG);

for (const using of places) {
  const { available: isThere, reason } = await available("tarantool", using);
  const title = `tarantool from a ${using}${reason === "" ? "" : `: ${reason}`}`;

  describe.skipIf(!isThere)(title, () => {
    it("says what it is, knows its user, and is gone in the end", { timeout: LONG }, async () => {
      const server = await startTarantool({ using });
      try {
        const url = `tarantool://pq:pq@127.0.0.1:${server.port}`;
        expect(server).toMatchObject({ using, url, host: "127.0.0.1", user: "pq", password: "pq" });
        expect(server.version).toMatch(/^\d+\.\d+\.\d+$/);
        expect(server.source).toMatch(new RegExp(`^${using} .*tarantool`));
        expect(await greetingOf(server)).toMatch(new RegExp(`^Tarantool ${server.version}.* \\(Binary\\)`));
        expect(await server.admin("box.cfg.wal_mode, box.info.ro")).toBe("fsync\nfalse");
        expect(await asUser(server, `${MAKE} box.space.jobs:insert{1} box.schema.func.create('f')`)).toBe("");
        expect(await asUser(server, "return box.session.user(), box.space.jobs:count()")).toBe("pq\n1");
      } finally {
        await server.close();
      }
      expect(await listens(server)).toBe(false);
      expect(existsSync(server.folder ?? "/nowhere")).toBe(false);
    });

    it("takes settings, which win over the defaults", { timeout: LONG }, async () => {
      const cfg = { net_msg_max: 8, memtx_memory: 64 * 1024 * 1024, replication_skip_conflict: true };
      const server = await startTarantool({ using, walMode: "none", cfg, init: `${MAKE} -- the last line` });
      try {
        const shown = await server.admin("{box.cfg.wal_mode, box.cfg.net_msg_max, box.cfg.memtx_memory}");
        expect(JSON.parse(shown)).toEqual(["none", 8, 64 * 1024 * 1024]);
        expect(await server.admin("box.cfg.replication_skip_conflict, box.space.jobs:count()")).toBe("true\n0");
      } finally {
        await server.close();
      }
    });

    it("runs Lua for its admin", { timeout: LONG }, async () => {
      const server = await startTarantool({ using });
      try {
        expect(await server.admin("local a = 'ä\\n'\n-- a comment\nreturn a, nil, {1, 'b'}")).toBe(
          'ä\n\nnull\n[1,"b"]',
        );
        expect(await server.admin("box.session.effective_user()")).toBe("admin");
        await expect(server.admin("box.error(box.error.READONLY)")).rejects.toThrow("read-only");
        await expect(server.admin("error('-+')")).rejects.toThrow("-+");
        await expect(server.admin("return (")).rejects.toThrow("unexpected symbol");
      } finally {
        await server.close();
      }
    });
  });

  describe.skipIf(!isThere)(`${title}, with faults`, () => {
    it("keeps its data and its port over a SIGKILL and a new start", { timeout: LONG }, async () => {
      const server = await startTarantool({ using, init: MAKE });
      try {
        const { port } = server;
        await server.admin("box.space.jobs:insert{1, 'kept'}");
        await server.restart();
        expect(server.port).toBe(port);
        expect(await asUser(server, "return box.space.jobs:get(1)")).toBe('[1,"kept"]');

        await server.stop();
        expect(await listens(server)).toBe(false);
        await expect(server.admin("1")).rejects.toThrow();
        await server.start();
        expect(await server.admin("box.space.jobs:get(1)")).toBe('[1,"kept"]');
      } finally {
        await server.close();
      }
    });

    it("answers nothing while it is paused, when it can be removed", { timeout: LONG }, async () => {
      const server = await startTarantool({ using });
      try {
        server.pause();
        const greeting = greetingOf(server);
        // Real time must pass for an answer to be missing.
        const nothing = new Promise((resolve) => setTimeout(resolve, 200, "nothing"));
        expect(await Promise.race([greeting, nothing])).toBe("nothing");
        server.resume();
        expect(await greeting).toContain("Tarantool");
        const resume = server.pause();
        resume();
        expect(await server.admin("1")).toBe("1");
        server.pause();
      } finally {
        await server.close();
      }
      expect(await listens(server)).toBe(false);
    });
  });
}

describe("a machine", () => {
  it("without Tarantool says so", async () => {
    vi.stubEnv("CI", undefined);
    vi.stubEnv("PATH", "");
    vi.spyOn(process, "getuid").mockReturnValue(1000);
    const reason = "No tarantool server: there is no tarantool on the PATH.";
    expect(await available("tarantool", "program")).toEqual({ available: false, reason });
    await expect(startTarantool({ using: "program" })).rejects.toThrow(Unavailable);
  });
});

const { available: hasProgram } = await available("tarantool", "program");

describe.skipIf(!hasProgram)("a program", () => {
  it("may be one of several, each on a port and a process of its own", async () => {
    const servers = await Promise.all(Array.from({ length: 3 }, async () => startTarantool({ using: "program" })));
    try {
      expect(new Set(servers.map((server) => server.port)).size).toBe(3);
      expect(new Set(servers.map((server) => server.pid)).size).toBe(3);
      expect(await readdir(join(servers[0]!.folder!, "data"))).toContain("00000000000000000000.snap");
    } finally {
      await Promise.all(servers.map(async (server) => server.close()));
    }
    expect(servers.map((server) => server.pid)).toEqual([undefined, undefined, undefined]);
  });

  it("may be read-only, with users", async () => {
    const server = await startTarantool({ using: "program", cfg: { read_only: true }, init: MAKE });
    try {
      for (const round of ["new", "again"]) {
        expect(await asUser(server, "return box.info.ro, box.space.jobs:count()"), round).toBe("true\n0");
        await expect(asUser(server, "box.space.jobs:insert{1}")).rejects.toThrow("read-only");
        await server.restart();
      }
    } finally {
      await server.close();
    }
  });

  it("that refuses its settings, or fails in its own Lua, says why", async () => {
    const refuses = startTarantool({ using: "program", cfg: { no_such_option: 1 } });
    await expect(refuses).rejects.toThrow(/ended with 1[^]*no_such_option/);
    await expect(startTarantool({ using: "program", init: "error('by itself')" })).rejects.toThrow("by itself");
  });

  it("that died by itself is started again", async () => {
    const server = await startTarantool({ using: "program", init: MAKE });
    try {
      await server.admin("box.space.jobs:insert{1}");
      await server.admin("os.exit(1)").catch(() => "it closes the connection");
      await server.restart();
      expect(await server.admin("box.space.jobs:count()")).toBe("1");
    } finally {
      await server.close();
    }
  });
});

describe.skipIf(!hasProgram)("an address", () => {
  it("is used first, and its server is not touched", async () => {
    const server = await startTarantool({ using: "program" });
    try {
      const url = `tarantool://some:secret%20word@127.0.0.1:${server.port}`;
      vi.stubEnv("PQ_TARANTOOL_URL", url);
      const { version, host, port } = server;
      const other = await startTarantool();
      const named = { url, user: "some", password: "secret word", source: "PQ_TARANTOOL_URL" };
      expect(other).toMatchObject({ ...named, host, port, version, using: "address" });
      await expect(other.restart()).rejects.toThrow("PQ_TARANTOOL_URL is not ours");
      await expect(other.admin("1")).rejects.toThrow("PQ_TARANTOOL_URL is not ours");
      expect(() => other.pause()).toThrow("not ours");
      await other.close();
      expect(await listens(server)).toBe(true);
    } finally {
      await server.close();
    }
  });

  it("where nobody answers is no reason to take another", async () => {
    vi.stubEnv("PQ_TARANTOOL_URL", "tarantool://127.0.0.1:1");
    await expect(startTarantool()).rejects.toThrow("ECONNREFUSED");
  });
});

describe.skipIf(!hasProgram)("a replica set", () => {
  it("has another master when told, which has all writes of the old one", async () => {
    const set = await startTarantoolReplicaSet({ init: `if not box.info.ro then ${MAKE} end` });
    try {
      const first = set.members[0]!;
      const second = set.members[1]!;
      expect(set.members).toHaveLength(2);
      expect(set.master).toBe(first);
      await asUser(first, "box.space.jobs:insert{1}");
      await expect(asUser(second, "box.space.jobs:insert{2}")).rejects.toThrow("read-only");

      await set.promote(1);
      expect(set.master).toBe(second);
      expect(await second.admin("box.info.ro, box.space.jobs:count()")).toBe("false\n1");
      await expect(asUser(first, "box.space.jobs:insert{2}")).rejects.toThrow("read-only");
      await asUser(second, "box.space.jobs:insert{2}");
      await set.inSync();
      expect(await first.admin("box.space.jobs:count()")).toBe("2");
    } finally {
      await set.close();
    }
    expect(await Promise.all(set.members.map(listens))).toEqual([false, false]);
  });

  it("goes on when its master is killed, which follows once it is started", async () => {
    const set = await startTarantoolReplicaSet({ size: 3, init: `if not box.info.ro then ${MAKE} end` });
    try {
      const [first, second, third] = set.members;
      await set.master.admin("box.space.jobs:insert{1}");
      await set.inSync();
      await first!.kill();
      await expect(set.promote(0)).rejects.toThrow("Member 0 of the replica set does not run.");
      await set.promote(1);
      await second!.admin("box.space.jobs:insert{2}");
      await first!.start();
      await set.inSync();
      expect(await first!.admin("box.info.ro, box.space.jobs:count()")).toBe("true\n2");

      // The last one left serves what it has, though it starts alone.
      await Promise.all([first!.kill(), second!.kill()]);
      await third!.restart();
      await set.promote(2);
      expect(await asUser(third!, "return box.space.jobs:insert{3}")).toBe("[3]");
    } finally {
      await set.close();
    }
  });
});

/** The first bytes that it sends to whoever connects. */
async function greetingOf({ host, port }: TarantoolServer): Promise<string> {
  const socket = connect({ host, port });
  const [chunk] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return chunk.toString();
}

/** Lua that the server runs for a client, who is the user of tests. */
async function asUser(server: TarantoolServer, lua: string): Promise<string> {
  const client = `require('net.box').connect('${server.user}:${server.password}@' .. box.cfg.listen)`;
  return server.admin(`return ${client}:eval([==[${lua}]==])`);
}
