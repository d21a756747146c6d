/**
 * The known defects of tarantool/queue (D1 to D15): we have none of them. D9 (no failover) is in `failover.test.ts`, D11 is about its callbacks, D15 about
 * sharding, which this store does not do. Of what D14 wishes for there are heartbeats, attempts and burying, which the suite has.
 */
import { Queue } from "@pq/core";
import { newRequestId, sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { broken } from "./invariants/changed.ts";
import { Process } from "./process.ts";
import { newJob, newJobs, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");

describe.skipIf(!there.available)("defects of tarantool/queue that are none here", () => {
  let site: Site;
  let seam: Seam;
  let queues = 0;

  beforeAll(async () => {
    site = await Site.start({ walMode: "write" });
  });
  afterAll(async () => site?.close());
  beforeEach(async () => {
    seam = await site.queue(`q${queues++}`);
  });

  /** How many rows the server has read, written and deleted since it started. */
  function work(): Promise<number> {
    return site.ask(`
      local sum, stat = 0, box.stat()
      for _, kind in ipairs({ 'SELECT', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE' }) do sum = sum + stat[kind].total end
      return sum`);
  }

  test("D1: 10 busy groups of 10,000 jobs each cost no more than 10 of 20", { timeout: 60_000 }, async () => {
    const costs: number[] = [];
    for (const members of [20, 10_000]) {
      seam = await site.queue(`groups of ${members}`, { prefix: "groups" });
      for (let group = 0; group < 10; group++) {
        const jobs = newJobs(members, { group: `g${group}` });
        await seam.putAll(jobs, 10_000);
      }
      let held = await seam.take(10);
      const before = await work();
      for (let round = 0; round < 10; round++) {
        // All groups are busy.
        expect(await seam.take(10)).toEqual([]);
        await seam.ack(...held);
        held = await seam.take(10);
        expect(texts(held)).toEqual(Array.from({ length: 10 }, () => String(round + 1)));
      }
      costs.push((await work()) - before);
      await seam.stats();
    }
    // So do looks of the watching fibers and answers that are swept away: a few of them.
    expect(costs[1]).toBeLessThan(costs[0]! * 1.2 + 100);
    expect(costs[1]! / 100).toBeLessThan(60);
  });

  test("D2: a kick loses no job, and brings no two of a group; an empty one leaves nothing open", async () => {
    await seam.put(...newJobs(5, { group: "g" }));
    expect((await seam.kick(1)).count).toBe(0);
    for (let n = 0; n < 3; n++) await seam.bury(...(await seam.take()));
    const [held] = await seam.take(5);
    expect(texts([held!])).toEqual(["3"]);
    expect((await seam.kick(2)).count).toBe(2);
    expect(await seam.take(5)).toEqual([]);
    await seam.ack(held!);
    expect(await seam.drain()).toEqual(["4", "0", "1"]);
    expect(await broken(site, "pq")).toBe("");
  });

  test("D3: a job of a group that is released still ends by its TTL", async () => {
    await seam.put(newJob("a", { group: "g", ttl: 200 }), newJob("b", { group: "g" }));
    const [a] = await seam.take();
    await seam.settle({ id: a!.id, fence: a!.fence, type: "release", delay: 0 });
    const [info] = (await seam.backend.read({ queue: seam.name, ids: [a!.id] })).jobs;
    expect(info!.expiresAt).toBe(a!.createdAt + 200);
    await eventually(async () => expect((await seam.stats()).counters.expired).toBe(1));
    expect(texts(await seam.take())).toEqual(["b"]);
  });

  test("D4, D7: what many take at once each has one holder, who can ack it", async () => {
    const seams = [seam, ...(await Promise.all(Array.from({ length: 5 }, () => site.queue(seam.name))))];
    await seam.putAll(newJobs(600));
    const taken = await Promise.all(
      seams.map(async (each) => {
        const mine: string[] = [];
        for (let jobs = await each.take(7); jobs.length > 0; jobs = await each.take(7)) {
          mine.push(...texts(jobs));
          expect(new Set(await each.ack(...jobs))).toEqual(new Set(["gone"]));
        }
        return mine;
      }),
    );
    expect(taken.flat()).toHaveLength(600);
    expect(new Set(taken.flat()).size).toBe(600);
  });

  test("D5: no job stays taken after its process died, in the middle of whatever it did", async () => {
    await seam.putAll(newJobs(50, { maxAttempts: 1000 }));
    for (let n = 0; n < 8; n++) {
      const dead = new Process(site.server.port);
      const holder = await site.queue(seam.name, { ...dead.options, leaseGrace: 0 });
      const doing = Array.from({ length: 4 }, () => holder.take(3).catch(() => []));
      await sleep(systemClock, n / 2);
      dead.die(n % 2 === 0 ? "end" : "reset");
      const gone = holder.backend.close();
      await Promise.all(doing);
      await gone;
    }
    await eventually(async () => expect((await seam.stats()).leased).toBe(0));
    expect(new Set(await seam.drain()).size).toBe(50);
  });

  test("D6: a job can be acked over another connection of its process", async () => {
    const proxy = await site.proxy();
    const { host, port } = proxy;
    const queue = new Queue<string>(seam.name, { backend: site.unopened({ host, port, leaseGrace: 10_000 }) });
    await queue.put("a");
    const job = await queue.take();
    proxy.cut();
    await job!.ack();
    expect(await queue.size()).toBe(0);
    await queue.close();
  });

  test("D8: a job that was buried is not touched by its lease or its TTL", async () => {
    await seam.put(newJob("a", { ttl: 60, lease: 30 }));
    await seam.bury(...(await seam.take()));
    await sleep(systemClock, 100);
    expect(await seam.stats()).toMatchObject({ buried: 1, counters: { leaseExpired: 0, expired: 0 } });
  });

  test("D10: ids never come again by themselves, also of a queue that was empty; a late ack hits no other job", async () => {
    await seam.put(newJob("old"));
    const [old] = await seam.take();
    await seam.ack(old!);
    await seam.put(newJob("new"));
    const [fresh] = await seam.take();
    expect(await seam.ack(old!)).toEqual(["lost"]);
    expect(await seam.settle({ ...old!, type: "release", delay: 0 })).toEqual(["lost"]);
    // Not even if its id is the same.
    await seam.ack(fresh!);
    await seam.put(newJob("again", { id: old!.id }));
    const [again] = await seam.take();
    expect(again!.fence).toBeGreaterThan(old!.fence);
    expect(await seam.ack(old!)).toEqual(["lost"]);
    expect(await seam.ack(again!)).toEqual(["gone"]);
  });

  test("D12: a touch moves the lease alone, and not the TTL; nothing of it is counted twice", async () => {
    await seam.put(newJob("a", { ttl: 60_000, lease: 1000 }));
    const [job] = await seam.take();
    for (const lease of [0, 1, 5000]) expect(await seam.touch(lease, job!)).toEqual([true]);
    const [info] = await seam.list("leased");
    expect(info!.expiresAt).toBe(job!.createdAt + 60_000);
    expect(info!.leaseUntil! - info!.createdAt).toBeGreaterThanOrEqual(5000);
    expect((await seam.stats()).counters.touch).toBe(3);
  });

  test("D13: two who wait on one connection each get a job", async () => {
    const queue = new Queue<string>(seam.name, { backend: site.unopened() });
    const other = new Queue<string>(`${seam.name}, other`, { backend: site.unopened() });
    const waiting = [queue.take({ wait: "5s" }), queue.take({ wait: "5s" }), other.take({ wait: "5s" })];
    await other.put("c");
    await queue.putMany(["a", "b"]);
    const jobs = await Promise.all(waiting);
    expect(jobs.map((job) => String(job?.payload)).toSorted()).toEqual(["a", "b", "c"]);
    await Promise.all([queue.close(), other.close()]);
  });

  test("a queue that takes no writes refuses; it does not answer that it is empty", async () => {
    await seam.put(newJob("a"));
    await site.server.admin("box.cfg{read_only = true}");
    const params = { request: newRequestId(), queue: seam.name, limit: 1, lease: 60_000 };
    await expect(seam.backend.take(params)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await site.server.admin("box.cfg{read_only = false}");
    expect(texts(await eventually(() => seam.backend.take(params)))).toEqual(["a"]);
  });
});
