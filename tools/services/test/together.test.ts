import { describe, expect, it } from "vitest";
import { available, startRedisCluster, startSentinels } from "../index.ts";
import { request, requests } from "../resp.ts";
import { until } from "../wait.ts";
import { listens } from "./support.ts";

const LONG = 60_000;
const { available: isThere } = await available("redis", "program");

describe.skipIf(!isThere)("a cluster", () => {
  it("serves all slots on its masters, also after one was killed", { timeout: LONG }, async () => {
    const cluster = await startRedisCluster();
    try {
      expect(cluster.nodes).toHaveLength(3);
      const slots = (await request(cluster.nodes[0]!, "CLUSTER", "SLOTS")) as readonly (readonly [number, number])[];
      expect(slots.reduce((sum, [from, to]) => sum + to - from + 1, 0)).toBe(16_384);
      // The slot of "key" is 12539: the third master's.
      await request(cluster.masters[2]!, "SET", "key", "value");
      await expect(request(cluster.masters[0]!, "GET", "key")).rejects.toThrow(
        `MOVED 12539 127.0.0.1:${cluster.masters[2]!.port}`,
      );
      await cluster.masters[2]!.restart();
      await cluster.ready();
      expect(await request(cluster.masters[2]!, "GET", "key")).toBe("value");
    } finally {
      await cluster.close();
    }
    expect(await Promise.all(cluster.nodes.map(listens))).toEqual([false, false, false]);
  });

  it("promotes the replica of a master that is gone", { timeout: LONG }, async () => {
    const cluster = await startRedisCluster({ replicas: 1 });
    try {
      await set(cluster.masters[2]!, "value", 1);
      await cluster.masters[2]!.stop();
      const heir = cluster.replicas[2]!;
      await until("the replica is the master", async () => (await roleOf(heir)) === "master");
      await cluster.ready();
      expect(await request(heir, "GET", "key")).toBe("value");
    } finally {
      await cluster.close();
    }
  });
});

describe.skipIf(!isThere)("sentinels", () => {
  it("name a new master when the old one is killed, twice over", { timeout: LONG }, async () => {
    const watched = await startSentinels({ name: "jobs" });
    try {
      const first = watched.master;
      expect(watched.sentinels).toHaveLength(3);
      expect(await named(watched)).toEqual(Array.from({ length: 3 }, () => first.port));
      await set(first, "value", 2);

      const second = await watched.failover();
      expect(second).not.toBe(first);
      expect(watched.master).toBe(second);
      expect(watched.replicas).toContain(first);
      expect(await named(watched)).toEqual(Array.from({ length: 3 }, () => second.port));
      expect(await request(second, "GET", "key")).toBe("value");

      await first.start();
      await until("the old master follows", async () => (await roleOf(first)) === "slave");
      await set(second, "changed", 2);
      expect(await request(await watched.failover(), "GET", "key")).toBe("changed");
    } finally {
      await watched.close();
    }
    expect(await Promise.all([...watched.sentinels, watched.master].map(listens))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

/** Set the key, and see so many replicas have it. */
async function set(server: { host: string; port: number }, value: string, replicas: number): Promise<void> {
  // WAIT speaks of the writes of its own connection.
  expect(await requests(server, ["SET", "key", value], ["WAIT", replicas, 4000])).toEqual(["OK", replicas]);
}

async function roleOf(server: { host: string; port: number }): Promise<unknown> {
  return ((await request(server, "ROLE")) as readonly unknown[])[0];
}

async function named(watched: {
  name: string;
  sentinels: readonly { host: string; port: number }[];
}): Promise<number[]> {
  return Promise.all(
    watched.sentinels.map(async (sentinel) => {
      const reply = await request(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched.name);
      return Number((reply as readonly string[])[1]);
    }),
  );
}
