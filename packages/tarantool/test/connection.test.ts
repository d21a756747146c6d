/** What befalls connections. What befalls servers and processes is in `crash.test.ts`. */
import { sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Steady } from "./steady.ts";
import { code, Dice, failure, newJob, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");
/** How many times connections are cut; 1,000 by hand. */
const CUTS = Number(process.env["PQ_TARANTOOL_CUTS"] ?? 100);
const SEED = Number(process.env["PQ_TARANTOOL_SEED"] ?? Math.floor(Math.random() * 1e6));
const HANDS = 4;

describe.skipIf(!there.available).concurrent("the connection", () => {
  let site: Site;
  let queues = 0;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());

  /** A queue of its own, behind a proxy. */
  async function behindProxy(options: { leaseGrace?: number; commandTimeout?: number } = {}) {
    const proxy = await site.proxy();
    const { host, port } = proxy;
    const name = `q${queues++}`;
    const seam = await site.queue(name, { host, port, ...options });
    return { proxy, seam, other: await site.queue(name), name };
  }

  async function cameBack({ backend }: Seam): Promise<void> {
    await eventually(() => expect(backend.events.at(-1)?.type).toBe("reconnected"), { patience: 10_000 });
  }

  test(
    `is cut ${CUTS} times at random moments with large replies in flight: nothing hangs, is lost or done twice, seed ${SEED}`,
    { timeout: 60_000 + CUTS * 500 },
    async ({ annotate }) => {
      const proxy = await site.proxy();
      const { host, port } = proxy;
      const dice = new Dice(SEED);
      const steady = new Steady("cuts", dice);
      const options = { host, port, leaseGrace: 30_000, commandTimeout: 5000 };
      const backends = await Promise.all([site.backend(options), site.backend(options)]);
      const hands = Array.from({ length: HANDS }, (_, at) => steady.work(backends[at % 2]!));
      for (let cut = 0; cut < CUTS; cut++) {
        await sleep(systemClock, dice.below(50));
        proxy.cut();
      }
      steady.stop();
      await Promise.all(hands);
      await steady.rest(backends[0]);
      await annotate(`${steady.toString()}; the longest try took ${Math.round(steady.longest)} ms`);
      expect(steady.put.size).toBeGreaterThan(CUTS / 5);
      expect(steady.acked).toEqual(steady.put);
      expect([steady.twice, steady.lost]).toEqual([[], 0]);
      // A cut is known at once: no try waits for its deadline.
      expect(steady.longest).toBeLessThan(5000);
      const { counters, ready, leased } = await backends[0].stats("cuts");
      const jobs = steady.put.size;
      expect({ ready, leased }).toEqual({ ready: 0, leased: 0 });
      expect(counters).toMatchObject({ put: jobs, take: jobs, ack: jobs, leaseExpired: 0, duplicate: 0 });
    },
  );

  test("is cut: leases are kept, and what is touched or acked after that is", async () => {
    const { proxy, seam, other } = await behindProxy({ leaseGrace: 20_000 });
    await seam.put(newJob("a"), newJob("b"));
    const [a, b] = await seam.take(2);
    proxy.cut();
    expect(await eventually(() => seam.touch(60_000, a!))).toEqual([true]);
    proxy.cut();
    expect(await eventually(() => seam.ack(a!, b!))).toEqual(["gone", "gone"]);
    expect(await other.take(5)).toEqual([]);
    expect((await other.stats()).counters.leaseExpired).toBe(0);
    expect(seam.backend.events.map(({ type }) => type)).toContain("reconnected");
  });

  test("is away for the whole grace: leases are others', and who comes back is told", async () => {
    const { proxy, seam, other } = await behindProxy({ leaseGrace: 150 });
    await seam.put(newJob("a", { group: "g" }), newJob("b", { group: "g" }));
    const [held] = await seam.take(1);
    const began = performance.now();
    const admit = proxy.refuse();
    proxy.cut();
    const [job] = await eventually(async () => {
      const jobs = await other.take(2);
      expect(jobs).toHaveLength(1);
      return jobs;
    });
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(145);
    expect(took).toBeLessThan(2000);
    expect([job!.id, job!.attempt]).toEqual([held!.id, 2]);
    admit();
    await cameBack(seam);
    expect(await seam.touch(1000, held!)).toEqual([false]);
    expect(await seam.ack(held!)).toEqual(["lost"]);
    expect(await other.ack(job!)).toEqual(["gone"]);
    expect(texts(await seam.take(5))).toEqual(["b"]);
  });

  test("is away twice: the grace begins anew", async () => {
    const grace = 1500;
    const { proxy, seam, other } = await behindProxy({ leaseGrace: grace });
    await seam.put(newJob("a"));
    const [held] = await seam.take(1);
    proxy.cut();
    const began = performance.now();
    await cameBack(seam);
    // Away again shortly before the first grace ends, and until after that.
    await sleep(systemClock, Math.max(0, grace - 500 - (performance.now() - began)));
    const admit = proxy.refuse();
    proxy.cut();
    await sleep(systemClock, 800);
    expect(await other.take(1)).toEqual([]);
    admit();
    await cameBack(seam);
    expect(await seam.ack(held!)).toEqual(["gone"]);
  });

  test("without a grace, a cut ends leases at once", async () => {
    const { proxy, seam, other } = await behindProxy({ leaseGrace: 0 });
    await seam.put(newJob("a"));
    const [held] = await seam.take(1);
    proxy.cut();
    await eventually(async () => expect(texts(await other.take(1))).toEqual(["a"]));
    expect(await eventually(() => seam.ack(held!))).toEqual(["lost"]);
  });

  test("is closed: what it held is back at once, whatever the grace, and wakes who waits", async () => {
    const { seam, other } = await behindProxy({ leaseGrace: 600_000 });
    await seam.put(newJob("a"), newJob("last", { maxAttempts: 1 }));
    await seam.take(2);
    const waiting = other.wait(20_000);
    await seam.backend.close();
    await waiting;
    expect(texts(await other.take(5))).toEqual(["a"]);
    expect((await other.list("buried")).map(({ buryReason }) => buryReason)).toEqual(["lease-expired"]);
  });

  test("is half-open: calls end by their deadline, and go on when it heals", async () => {
    const { proxy, seam } = await behindProxy({ commandTimeout: 300, leaseGrace: 20_000 });
    await seam.put(newJob("a"));
    const [held] = await seam.take(1);
    const heal = proxy.halfOpen();
    const began = performance.now();
    const codes = await Promise.all([code(seam.put(newJob("b"))), code(seam.take()), code(seam.stats())]);
    expect(codes).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "UNAVAILABLE"]);
    // These find no connection.
    expect(await code(seam.put(newJob("c")))).toBe("UNAVAILABLE");
    expect(performance.now() - began).toBeLessThan(4000);
    heal();
    expect(await eventually(() => seam.ack(held!), { patience: 10_000 })).toEqual(["gone"]);
    expect(await code(seam.put(newJob("d")))).toBe("done");
  });

  test("is half-open while somebody waits: the wait ends soon after its time", async () => {
    const { proxy, seam } = await behindProxy({ commandTimeout: 300 });
    const waiting = code(seam.wait(200));
    proxy.halfOpen();
    const began = performance.now();
    expect(await waiting).toMatch(/^(?:UNAVAILABLE|done)$/);
    expect(performance.now() - began).toBeLessThan(3000);
  });

  test("is slow and comes byte by byte: answers are whole", { timeout: 20_000 }, async () => {
    const { proxy, seam } = await behindProxy({ commandTimeout: 10_000 });
    const payload = Buffer.from(Array.from({ length: 300 }, (_, at) => at % 256));
    proxy.slice(1);
    const large = newJob(payload);
    await Promise.all([seam.put(large), seam.put(newJob("b")), seam.stats(), seam.backend.queues()]);
    const jobs = await seam.take(2);
    expect(Buffer.from(jobs.find(({ id }) => id === large.id)!.payload)).toEqual(payload);
  });

  test("is closed twice, and once more after that, and opened again", async () => {
    const { seam } = await behindProxy();
    await seam.put(newJob("a"));
    await Promise.all([seam.backend.close(), seam.backend.close()]);
    await seam.backend.close();
    expect(await code(seam.put(newJob("b")))).toBe("CLOSED");
    await seam.backend.open({ report: () => undefined });
    expect(texts(await seam.take(5))).toEqual(["a"]);
  });

  test("is closed while it waits: nobody is left in line", async () => {
    const { seam, name } = await behindProxy();
    const waiting = seam.wait(20_000);
    const inLine = (): Promise<number> => site.ask(`return #(_G.__pq.pq.state.lines['${name}'] or {})`);
    await eventually(async () => expect(await inLine()).toBe(1));
    await seam.backend.close();
    await waiting;
    await eventually(async () => expect(await inLine()).toBe(0));
  });
});

describe.skipIf(!there.available)("connections that are left", () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());

  test("there are none after a close, at whatever moment", { timeout: 30_000 }, async () => {
    const before = await site.ask<number>("return box.stat.net().CONNECTIONS.current");
    for (const pause of [0, 0, 1, 2, 4, 8, 16, 32]) {
      const backend = site.unopened();
      const opening = code(backend.open({ report: () => undefined }));
      if (pause > 0) await sleep(systemClock, pause);
      await backend.close();
      expect(await opening).toMatch(/^(?:done|CLOSED|UNAVAILABLE)$/);
      expect(await code(backend.stats("q"))).toBe("CLOSED");
    }
    // Also of those that are being made again after a cut.
    const proxy = await site.proxy();
    for (let tries = 0; tries < 10; tries++) {
      const backend = await site.backend({ host: proxy.host, port: proxy.port });
      proxy.cut();
      await sleep(systemClock, 2 * tries);
      await backend.close();
    }
    await eventually(async () => {
      expect(await site.ask("return box.stat.net().CONNECTIONS.current")).toBe(before);
    });
    expect(proxy.statistics().open).toBe(0);
  });

  test("to nobody is an error that names the address, and it can be closed at any time", async () => {
    const backend = site.unopened({ host: "127.0.0.1", port: 1 });
    const opening = failure(backend.open({ report: () => undefined }));
    await sleep(systemClock, 50);
    const began = performance.now();
    await backend.close();
    expect(performance.now() - began).toBeLessThan(3000);
    expect(await opening).toMatch(/^(?:UNAVAILABLE|CLOSED): /);
  });
});
