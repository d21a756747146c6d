/** What befalls connections, servers and processes. Whatever must survive it, or must be stopped, is a process of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { isPqError } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available, type ZkServer } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newNativeClient } from "../src/native.ts";
import { Child } from "./child.ts";
import type { Summary } from "./child/main.ts";
import { code, Dice, failure, newJob, Site, texts } from "./support.ts";

const there = await available("zk");
/** How many times connections are cut; 1,000 by hand. */
const CUTS = Number(process.env["PQ_ZK_CUTS"] ?? 100);
const SEED = Number(process.env["PQ_ZK_SEED"] ?? Math.floor(Math.random() * 1e6));
/** How many times the server is killed and started again; 20 by hand. */
const RESTARTS = Number(process.env["PQ_ZK_RESTARTS"] ?? 6);

describe.skipIf(!there.available)("the connection", () => {
  let server: ZkServer;
  let first: Site & { readonly server: ZkServer };
  const sites = new Set<Site>();

  beforeAll(async () => {
    first = await Site.start();
    ({ server } = first);
  });

  afterAll(async () => {
    for (const site of sites) await site.close();
    await first.close();
  });

  function newSite(): Site {
    const site = new Site(server);
    sites.add(site);
    return site;
  }

  /** The child is told to finish, and ends well, with nothing lost and nothing twice. */
  async function finish(child: Child): Promise<Summary> {
    child.tell("stop");
    const summary = JSON.parse(await child.said("summary", 60_000)) as Summary;
    expect({ exit: await child.ended, errors: child.errors }).toEqual({ exit: 0, errors: "" });
    expect(summary).toMatchObject({ missing: [], twice: [], wrong: [] });
    expect(summary.acked).toBeGreaterThan(0);
    return summary;
  }

  test(
    `is cut ${CUTS} times at random moments with calls in flight, seed ${SEED}`,
    { timeout: 60_000 + CUTS * 500 },
    async ({ annotate }) => {
      const site = newSite();
      const proxy = await site.proxy();
      const dice = new Dice(SEED);
      const child = new Child("work", proxy.hosts, site.root);
      await child.said("open");
      for (let cut = 1; cut <= CUTS; cut++) {
        await sleep(dice.below(150));
        const before = child.count("event reconnected");
        proxy.faults.cut();
        // Some cuts hit a connection that is being made.
        if (dice.once(5)) continue;
        await eventually(() => expect(child.count("event reconnected")).toBeGreaterThan(before), { patience: 10_000 });
      }
      const { put, acked, unknown, lost } = await finish(child);
      await annotate(
        `${child.count("event disconnected")} times disconnected, ${put} put, ${acked} acked, ${unknown} unknown, ${lost} lost`,
      );
      expect(child.count("event disconnected")).toBeGreaterThan(CUTS / 2);
      const { ready, leased } = await (await site.queue()).stats();
      expect([ready, leased]).toEqual([0, 0]);
    },
  );

  test(`outlives ${RESTARTS} crashes of the server`, { timeout: 60_000 + RESTARTS * 5000 }, async ({ annotate }) => {
    const site = await Site.start();
    sites.add(site);
    const child = new Child("work", site.server.hosts, site.root, 3000);
    await child.said("open");
    for (let crash = 1; crash <= RESTARTS; crash++) {
      const before = child.count("event reconnected");
      await site.server.restart();
      await eventually(() => expect(child.count("event reconnected")).toBeGreaterThan(before), { patience: 15_000 });
      // Long enough that calls which waited are made again.
      await sleep(600);
    }
    const { put, acked, unknown, lost } = await finish(child);
    await annotate(`${put} put, ${acked} acked, ${unknown} unknown, ${lost} lost`);
    expect(acked).toBeGreaterThan(RESTARTS);
  });

  test(
    "of a process that was stopped for longer than its session lasts: its job is another's, and it goes on",
    { timeout: 60_000 },
    async () => {
      const site = newSite();
      const seam = await site.queue();
      await seam.put(newJob(JSON.stringify("held"), { headers: "" }));
      const child = new Child("hold", server.hosts, site.root, 1000);
      expect(await child.said("took")).toBe("held");
      process.kill(child.process.pid!, "SIGSTOP");
      const job = await eventually(
        async () => {
          const [taken] = await seam.take();
          if (taken === undefined) throw new Error("the job is still held");
          return taken;
        },
        { patience: 10_000 },
      );
      expect(job.attempt).toBe(2);
      process.kill(child.process.pid!, "SIGCONT");
      child.tell("settle");
      expect(await child.said("ack")).toBe("LEASE_LOST");
      expect(await seam.ack(job)).toEqual(["gone"]);
      await seam.put(newJob(JSON.stringify("more")));
      child.tell("again");
      expect(await child.said("next")).toBe("more done");
      expect(await child.ended).toBe(0);
    },
  );

  test(
    "that hangs for longer than the session lasts: what it held is another's, and it goes on",
    { timeout: 60_000 },
    async () => {
      const site = newSite();
      const proxy = await site.proxy();
      const hanging = await site.queue("q", { hosts: proxy.hosts, sessionTimeout: 1500, commandTimeout: 1000 });
      const other = await site.queue();
      await other.put(newJob("a"), newJob("b"));
      const [held] = await hanging.take();
      const heal = proxy.faults.halfOpen();
      const job = await eventually(
        async () => {
          const taken = await other.take(2);
          return taken.find(({ id }) => id === held!.id) ?? expect.fail("the job is still held");
        },
        { patience: 10_000 },
      );
      heal();
      await eventually(() => expect(hanging.backend.events.at(-1)?.type).toBe("reconnected"), { patience: 10_000 });
      expect(await hanging.ack(held!)).toEqual(["lost"]);
      expect(await hanging.touch(1000, held!)).toEqual([false]);
      expect(await other.ack(job)).toEqual(["gone"]);
      await hanging.put(newJob("c"));
      expect(texts(await hanging.take())).toEqual(["c"]);
    },
  );

  test("calls on a connection that hangs end by their deadline", { timeout: 60_000 }, async () => {
    const site = newSite();
    const proxy = await site.proxy();
    const seam = await site.queue("q", { hosts: proxy.hosts, sessionTimeout: 20_000, commandTimeout: 500 });
    await seam.put(newJob("a"));
    const heal = proxy.faults.halfOpen();
    const started = performance.now();
    const codes = await Promise.all([code(seam.put(newJob("b"))), code(seam.take()), code(seam.stats())]);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(codes).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "UNAVAILABLE"]);
    heal();
    await eventually(async () => expect((await seam.stats()).ready + (await seam.stats()).leased).toBeGreaterThan(0), {
      patience: 20_000,
    });
  });

  test("is closed twice, and once more after that, and opened again", async () => {
    const site = newSite();
    const seam = await site.queue();
    await seam.put(newJob("a"));
    await Promise.all([seam.backend.close(), seam.backend.close()]);
    await seam.backend.close();
    expect(await code(seam.put(newJob("b")))).toBe("CLOSED");
    await seam.backend.open({ report: () => undefined });
    expect(texts(await seam.take(5))).toEqual(["a"]);
  });

  test("is closed while it is being made", { timeout: 30_000 }, async () => {
    const site = newSite();
    for (const pause of [0, 0, 1, 5, 20]) {
      const backend = site.unopened();
      const opening = code(backend.open({ report: () => undefined }));
      if (pause > 0) await sleep(pause);
      await backend.close();
      expect(await opening).toMatch(/^(?:done|CLOSED|UNAVAILABLE)$/);
      expect(await code(backend.stats("q"))).toBe("CLOSED");
    }
  });

  test("is closed while no server is there", { timeout: 30_000 }, async () => {
    const backend = newSite().unopened({ hosts: "127.0.0.1:1" });
    const opening = code(backend.open({ report: () => undefined }));
    await sleep(200);
    await backend.close();
    expect(await opening).toMatch(/^(?:CLOSED|UNAVAILABLE)$/);
  });

  test("to nobody is an error that names the address", { timeout: 30_000 }, async () => {
    const error = await failure(
      newSite()
        .unopened({ hosts: "127.0.0.1:1,127.0.0.1:2" })
        .open({ report: () => undefined }),
    );
    expect(isPqError(error, "UNAVAILABLE"), error.message).toBe(true);
    expect(error.message).toContain("127.0.0.1:1,127.0.0.1:2");
  });

  test(
    "to a name that is none is an error that names it, and the others of the list do",
    { timeout: 60_000 },
    async () => {
      const error = await failure(
        newSite()
          .unopened({ hosts: "no-such-host.invalid:2181" })
          .open({ report: () => undefined }),
      );
      expect(isPqError(error, "UNAVAILABLE"), error.message).toBe(true);
      expect(error.message).toContain("no-such-host.invalid:2181");
      const seam = await newSite().queue("q", { hosts: `no-such-host.invalid:2181,${server.hosts}` });
      expect(await seam.put(newJob("a"))).toEqual([{ status: "added" }]);
    },
  );

  test(
    "to a server that allows shorter sessions than asked for works by what was agreed",
    { timeout: 60_000 },
    async () => {
      const site = await Site.start({ config: { maxSessionTimeout: "1500" } });
      sites.add(site);
      const proxy = await site.proxy();
      const seam = await site.queue("q", { hosts: proxy.hosts, sessionTimeout: 60_000, commandTimeout: 1000 });
      const other = await site.queue();
      await seam.put(newJob("a"));
      const [held] = await seam.take();
      const heal = proxy.faults.halfOpen();
      await eventually(async () => expect(texts(await other.take())).toEqual(["a"]), { patience: 10_000 });
      // It knows by itself, without a server.
      await eventually(async () => expect(await code(seam.ack(held!))).toBe("UNAVAILABLE"), { patience: 5000 });
      await eventually(async () => expect(await seam.touch(1000, held!)).toEqual([false]), { patience: 5000 });
      heal();
      await eventually(async () => expect(await seam.ack(held!)).toEqual(["lost"]), { patience: 10_000 });
    },
  );

  test("of somebody else is borrowed and left open", { timeout: 30_000 }, async () => {
    const site = newSite();
    const client = newNativeClient();
    client.init({
      connect: server.hosts,
      timeout: 4000,
      debug_level: 1,
      host_order_deterministic: false,
      response_counter_limit: 2 ** 31 - 1,
    });
    try {
      // It need not be connected yet.
      const seam = await site.queue("q", { client });
      const other = await site.queue();
      await seam.put(newJob("a"), newJob("b"));
      const [held] = await seam.take();
      expect(texts([held!])).toEqual(["a"]);
      await seam.backend.close();
      expect(client.state).toBe(3);
      // What it held is given back, though its session goes on.
      expect(texts(await other.take(5)).toSorted()).toEqual(["a", "b"]);
      const again = await site.queue("q", { client });
      expect((await again.stats()).leased).toBe(2);
      const waiting = again.wait(20_000);
      await other.put(newJob("c"));
      await waiting;
      expect(texts(await again.take())).toEqual(["c"]);
      expect(Object.values(listeners(client)).every((count) => count === 1)).toBe(true);
      await again.backend.close();
      expect(Object.values(listeners(client)).every((count) => count === 0)).toBe(true);
    } finally {
      client.close();
    }
  });
});

function listeners(client: object): Record<string, number> {
  const emitter = client as { listenerCount(event: string): number };
  return Object.fromEntries(
    ["connect", "connecting", "close", "child"].map((event) => [event, emitter.listenerCount(event)]),
  );
}
