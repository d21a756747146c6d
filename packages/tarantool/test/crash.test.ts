/** What befalls servers and processes. */
import { isPqError, sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Process } from "./process.ts";
import { Steady } from "./steady.ts";
import { code, Dice, newJob, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");
/** How many times the server is killed and started again; 50 by hand. */
const CRASHES = Number(process.env["PQ_TARANTOOL_CRASHES"] ?? 3);
const SEED = Number(process.env["PQ_TARANTOOL_SEED"] ?? Math.floor(Math.random() * 1e6));

describe.skipIf(!there.available).concurrent("a process that is killed", () => {
  let site: Site;
  let queues = 0;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());

  async function start(leaseGrace: number): Promise<{ process: Process; seam: Seam; other: Seam }> {
    const process = new Process(site.server.port);
    const name = `q${queues++}`;
    const seam = await site.queue(name, { ...process.options, leaseGrace });
    return { process, seam, other: await site.queue(name) };
  }

  test.for(["end", "reset"] as const)("gives back what it held within its grace: %s", async (way) => {
    const { process, seam, other } = await start(200);
    await seam.put(
      newJob("a"),
      newJob("b", { maxAttempts: 1 }),
      newJob("c", { group: "g" }),
      newJob("d", { group: "g" }),
    );
    expect(texts(await seam.take(5))).toEqual(["a", "b", "c"]);
    const began = performance.now();
    process.die(way);
    const waiting = other.wait(20_000);
    await waiting;
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(195);
    expect(took).toBeLessThan(2000);
    expect((await other.take(5)).map(({ attempt, payload }) => [Buffer.from(payload).toString(), attempt])).toEqual([
      ["a", 2],
      ["c", 2],
    ]);
    expect(texts(await other.list("buried"))).toEqual(["b"]);
    expect((await other.stats()).counters).toMatchObject({ leaseExpired: 3, bury: 1 });
  });

  test("gives back the leases of all its queues, many of them, and nobody else's", async () => {
    const { process, seam, other } = await start(50);
    const names = Array.from({ length: 20 }, (_, at) => `many${at}`);
    const { backend } = seam;
    for (const name of names) {
      const own = Object.assign(Object.create(seam) as Seam, { backend, name });
      await own.put(...Array.from({ length: 100 }, () => newJob("x")));
      await own.take(99);
    }
    const kept = Object.assign(Object.create(other) as Seam, { name: names[0]! });
    const mine = await kept.take(1);
    process.die("end");
    await eventually(async () => {
      const all = await Promise.all(names.map((name) => other.backend.stats(name)));
      expect(all.reduce((sum, { leased }) => sum + leased, 0)).toBe(1);
    });
    expect(await kept.ack(...mine)).toEqual(["gone"]);
  });

  test("in the middle of connecting leaves nothing", async () => {
    for (let wait = 0; wait < 12; wait += 2) {
      const process = new Process(site.server.port);
      const backend = site.unopened({ ...process.options, leaseGrace: 0 });
      const opening = code(backend.open({ report: () => undefined }));
      await sleep(systemClock, wait);
      process.die("reset");
      await backend.close();
      expect(await opening).toMatch(/^(?:done|UNAVAILABLE|CLOSED)$/);
    }
    const known = (): Promise<number> =>
      site.ask("local n = 0 for _ in pairs(_G.__pq.pq.state.members) do n = n + 1 end return n");
    const alive = queues * 2;
    await eventually(async () => expect(await known()).toBeLessThanOrEqual(alive));
  });
});

describe.skipIf(!there.available).concurrent("a server", () => {
  const sites = new Set<Site>();
  afterAll(async () => {
    await Promise.all([...sites].map((site) => site.close()));
  });

  async function newSite(walMode: "write" | "fsync" = "write"): Promise<Site> {
    const site = await Site.start({ walMode });
    sites.add(site);
    return site;
  }

  test.for(["fsync", "write"] as const)(
    `is killed ${CRASHES} times under load with wal_mode %s: every accepted job is there, once, seed ${SEED}`,
    { timeout: 60_000 + CRASHES * 5000 },
    async (walMode, { annotate }) => {
      const site = await newSite(walMode);
      const steady = new Steady("load", new Dice(SEED));
      // Long enough for a slow start: leases stay those of the process.
      const options = { leaseGrace: 30_000, commandTimeout: 5000 };
      const backends = await Promise.all([site.backend(options), site.backend(options)]);
      const hands = [...backends, ...backends].map((backend) => steady.work(backend));
      for (let crash = 0; crash < CRASHES; crash++) {
        const before = steady.acked.size;
        await eventually(() => expect(steady.acked.size).toBeGreaterThan(before + 20), { patience: 20_000 });
        await site.server.restart();
      }
      steady.stop();
      await Promise.all(hands);
      await steady.rest(backends[0]);
      await annotate(steady.toString());
      expect(steady.acked).toEqual(steady.put);
      expect([steady.twice, steady.lost]).toEqual([[], 0]);
      const { ready, leased, counters } = await backends[0].stats("load");
      expect({ ready, leased, put: counters.put, ack: counters.ack }).toEqual({
        ready: 0,
        leased: 0,
        put: steady.put.size,
        ack: steady.put.size,
      });
    },
  );

  test(
    "stands still: calls end by their deadline, leases are kept, and work goes on",
    { timeout: 20_000 },
    async () => {
      const site = await newSite();
      const seam = await site.queue("q", { commandTimeout: 300, leaseGrace: 5000 });
      await seam.put(newJob("a"));
      const [held] = await seam.take();
      const go = site.server.pause();
      const began = performance.now();
      const codes = await Promise.all([code(seam.put(newJob("b"))), code(seam.stats()), code(seam.wait(100))]);
      expect(codes).toEqual(["OUTCOME_UNKNOWN", "UNAVAILABLE", "UNAVAILABLE"]);
      expect(performance.now() - began).toBeLessThan(3000);
      go();
      expect(await eventually(() => seam.ack(held!), { patience: 10_000 })).toEqual(["gone"]);
      expect(await code(seam.put(newJob("c")))).toBe("done");
    },
  );

  test("comes after those who want it", { timeout: 20_000 }, async () => {
    const site = await newSite();
    await site.server.kill();
    const backend = site.unopened();
    const opening = code(backend.open({ report: () => undefined }));
    await sleep(systemClock, 200);
    await site.server.start();
    expect(await opening).toBe("done");
    // It goes and comes again: calls made meanwhile are refused, certainly not applied, or wait for it.
    const seam = await site.queue();
    await site.server.kill();
    const failed = await eventually(async () => {
      const said = await code(seam.put(newJob("early")));
      expect(said).toBe("UNAVAILABLE");
      return said;
    });
    expect(failed).toBe("UNAVAILABLE");
    await site.server.start();
    await eventually(() => seam.put(newJob("late")), { patience: 10_000 });
    expect(texts(await seam.take(5))).toEqual(["late"]);
    expect(seam.backend.events.map(({ type }) => type)).toEqual(["disconnected", "reconnected"]);
  });

  test(
    "starts again: who comes back keeps his leases, who does not loses them after 5 s",
    { timeout: 30_000 },
    async () => {
      const site = await newSite();
      const process = new Process(site.server.port);
      const gone = await site.queue("q", { ...process.options, leaseGrace: 600_000 });
      const back = await site.queue("q", { leaseGrace: 50 });
      await back.put(newJob("a"), newJob("b"));
      const [held] = await back.take();
      await gone.take();
      await site.server.kill();
      process.die("end");
      await site.server.start();
      const began = performance.now();
      await eventually(async () => expect((await back.stats()).leased).toBe(2), { patience: 4000 });
      await eventually(async () => expect((await back.stats()).leased).toBe(1), { patience: 10_000 });
      expect(performance.now() - began).toBeLessThan(8000);
      expect(await back.ack(held!)).toEqual(["gone"]);
      expect(texts(await back.take())).toEqual(["b"]);
    },
  );

  test("waiting goes on after a restart: a put wakes who waited before it", { timeout: 20_000 }, async () => {
    const site = await newSite();
    const [waiter, producer] = [await site.queue(), await site.queue()];
    const woken = (async () => {
      for (;;) {
        try {
          await waiter.wait(5000);
          const jobs = await waiter.take(1);
          if (jobs.length > 0) return texts(jobs);
        } catch (error) {
          if (!isPqError(error) || !error.retryable) throw error;
        }
      }
    })();
    await site.server.restart();
    await eventually(() => producer.put(newJob("after")), { patience: 10_000 });
    expect(await woken).toEqual(["after"]);
  });
});
