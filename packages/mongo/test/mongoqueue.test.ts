/**
 * The cases of mongoqueue's own tests (M1 to M12), as far as they speak of this contract, and its known defects (F1 to F7): we have none of them.
 * M1 is about its lock, which is no part of the contract, and so is M2; what M2 says of a holder whose time is over holds for leases. M8 and M9 are
 * empty there. F5 is that it runs with no current driver.
 */
import { Queue } from "@pq/core";
import { newRequestId } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { indexes } from "../src/schema.ts";
import { type Seam, Site } from "./site.ts";

const there = await available("mongo");
/** Of consumers that die, in ms. */
const LEASE = 300;

interface Payload {
  readonly name: string;
}

describe.skipIf(!there.available)("mongoqueue", { timeout: 60_000 }, () => {
  let site: Site;
  let queue: Queue<Payload>;
  let tests = 0;
  const queues = new Set<Queue<Payload>>();

  beforeAll(async () => {
    site = await Site.start("memory");
  });
  afterAll(() => site.close());

  beforeEach(() => {
    tests++;
    queue = open();
  });
  afterEach(async () => {
    for (const each of queues) await each.close();
    queues.clear();
  });

  /** The queue of the test at hand, on a connection of its own. */
  function open(): Queue<Payload> {
    const opened = new Queue<Payload>(`q${tests}`, { backend: site.unopened() });
    queues.add(opened);
    return opened;
  }

  /** The same without a heartbeat and without the mercy of core. */
  async function seam(): Promise<Seam> {
    return site.queue(queue.name);
  }

  async function taken(from = queue) {
    const job = await from.take();
    if (job === null) throw new Error("nothing was ready");
    return job;
  }

  test("M2: who comes when a lease is over gets the job; what the late one does is refused and harms nobody", async () => {
    await queue.put({ name: "alice" });
    const [first, second] = [await seam(), await seam()];
    const [late] = await first.take(1, LEASE);
    expect(await second.take(1)).toEqual([]);
    const [job] = await eventually(async () => {
      const jobs = await second.take(1, 60_000);
      expect(jobs).toHaveLength(1);
      return jobs;
    });
    expect(await first.settle({ ...late!, type: "release", delay: 0 })).toEqual(["lost"]);
    expect(await first.take(1)).toEqual([]);
    expect(await second.ack(job!)).toEqual(["gone"]);
    expect(await queue.size()).toBe(0);
  });

  test("M3: what is put is what comes", async () => {
    await queue.put({ name: "alice" });
    expect((await taken()).payload).toEqual({ name: "alice" });
  });

  test("M4: nothing comes out of an empty queue", async () => {
    expect(await queue.take()).toBeNull();
  });

  test("M5: jobs come by priority, the lower number first", async () => {
    await queue.put({ name: "alice" }, { priority: -1 });
    await queue.put({ name: "bob" }, { priority: -2 });
    await queue.put({ name: "mike" }, { priority: 0 });
    const names = [await taken(), await taken(), await taken()].map(({ payload }) => payload.name);
    expect(names).toEqual(["bob", "alice", "mike"]);
  });

  test("M6: a job that is done is counted no more", async () => {
    await queue.put({ name: "alice" });
    const job = await taken();
    expect(await queue.size()).toBe(1);
    await job.ack();
    expect(await queue.size()).toBe(0);
  });

  test("M7: a job that is released comes again, and no attempt is counted", async () => {
    await queue.put({ name: "alice" });
    await (await taken()).release();
    expect(await queue.size()).toBe(1);
    const again = await taken();
    expect([again.payload, again.attempt]).toEqual([{ name: "alice" }, 1]);
  });

  test("M8: a job that failed keeps its error, and its attempt counts", async () => {
    await queue.put({ name: "alice" });
    await (await taken()).fail(new Error("no such address"), { delay: 0 });
    const again = await taken();
    expect([again.attempt, again.lastError]).toEqual([2, expect.stringContaining("no such address")]);
    await again.fail("again", { delay: "1h" });
    expect(await queue.take()).toBeNull();
    expect(await queue.stats()).toMatchObject({ ready: 0, delayed: 1, counters: { fail: 2 } });
  });

  test("M9: progress is kept for the next holder, and renews the lease", async () => {
    await queue.put({ name: "alice" }, { lease: "20s" });
    const job = await taken();
    const until = async (): Promise<number> => (await queue.peek(job.id))?.leaseUntil ?? 0;
    const before = await until();
    await job.progress({ percent: 40 });
    expect(await until()).toBeGreaterThan(before);
    await job.release();
    expect((await taken()).lastProgress).toEqual({ percent: 40 });
  });

  test("M10: a job that failed is available again in the counts", async () => {
    for (let n = 0; n < 5; n++) await queue.put({ name: String(n) });
    await (await taken()).fail("no", { delay: 0 });
    expect(await queue.stats()).toMatchObject({ ready: 5, leased: 0, buried: 0, counters: { fail: 1 } });
  });

  test("M11: what is thrown within a job fails it, and passes on", async () => {
    await queue.put({ name: "alice" });
    const job = await taken();
    const failing = job.run(async () => {
      throw new Error("broken");
    });
    await expect(failing).rejects.toThrow("broken");
    const again = await queue.take({ wait: "20s" });
    expect([again?.attempt, again?.lastError]).toEqual([2, expect.stringContaining("broken")]);
  });

  test("M12: a job whose work ends is done", async () => {
    await queue.put({ name: "alice" });
    await (await taken()).run(async () => undefined);
    expect(await queue.take()).toBeNull();
    expect(await queue.size()).toBe(0);
  });

  test("F1: jobs of dead consumers come back by themselves, all of them, also to one who waits already", async () => {
    for (let n = 0; n < 20; n++) await queue.put({ name: String(n) });
    const dead = await seam();
    expect(await dead.take(20, LEASE)).toHaveLength(20);
    let waiting = queue.take({ wait: "20s" });
    await dead.backend.close();
    const names: string[] = [];
    while (names.length < 20) {
      const job = await waiting;
      names.push(job!.payload.name);
      await job!.ack();
      if (names.length < 20) waiting = queue.take({ wait: "20s" });
    }
    expect(new Set(names).size).toBe(20);
  });

  test("F2: the indexes of all queries are made when the store opens", async () => {
    await queue.ready();
    for (const [name, wanted] of Object.entries(indexes)) {
      if (wanted.length === 0) continue;
      const found = await site.db.collection(`pq.${name}`).indexes();
      expect(found.map((index) => index.name)).toEqual(expect.arrayContaining(wanted.map((index) => index.name)));
    }
  });

  test("F3: attempts are counted by each delivery, whoever takes, until the last one buries the job", async () => {
    const { id } = await queue.put({ name: "poison" }, { maxAttempts: 3 });
    const attempts: number[] = [];
    for (let n = 0; n < 3; n++) {
      const job = await taken(open());
      attempts.push(job.attempt);
      await job.fail(`attempt ${n + 1}`, { delay: 0 });
    }
    expect(attempts).toEqual([1, 2, 3]);
    expect(await queue.take()).toBeNull();
    expect(await queue.peek(id)).toMatchObject({ state: "buried", lastError: "attempt 3" });
    await queue.dig(id);
    expect((await taken()).attempt).toBe(1);
  });

  test("F4: a heartbeat that races a release leaves the job to be taken, and in one state", async () => {
    const [one, other] = [await seam(), await seam()];
    await queue.put({ name: "alice" });
    for (let n = 0; n < 20; n++) {
      const [job] = await one.take(1, 60_000);
      const release = { ...job!, type: "release", delay: 0 } as const;
      const items = [{ id: job!.id, fence: job!.fence, lease: 60_000, progress: null }];
      const touch = other.backend.touch({ request: newRequestId(), queue: queue.name, items });
      const [released] = await Promise.all([one.settle(release), touch]);
      expect(released).toEqual(["ready"]);
      const { ready, leased } = await queue.stats();
      expect([ready, leased]).toEqual([1, 0]);
    }
  });

  test("F6: there are waiting, delays, a time to live, dead jobs that can be seen and mended, and batches", async () => {
    const waiting = queue.take({ wait: "20s" });
    await open().putMany([{ name: "first" }, { name: "second" }]);
    expect((await waiting)?.payload.name).toBe("first");
    await (await taken()).ack();
    const { id } = await queue.put({ name: "short" }, { ttl: 50 });
    await eventually(async () => expect(await queue.peek(id)).toBeNull());
    await queue.put({ name: "late" }, { delay: 100 });
    const late = await queue.take({ wait: "20s" });
    expect(late?.payload.name).toBe("late");
    await late?.bury("no use");
    const { jobs } = await queue.list({ state: "buried" });
    expect(jobs.map(({ lastError }) => lastError)).toEqual(["no use"]);
    expect(await queue.kick(9)).toBe(1);
    expect(await queue.truncate()).toBe(2);
    expect(await queue.size()).toBe(0);
  });

  test("F7: jobs of one priority come in the order in which they were put", async () => {
    const names = Array.from({ length: 30 }, (_, n) => String(n));
    for (const name of names.slice(0, 10)) await queue.put({ name }, { priority: 7 });
    await queue.putMany(
      names.slice(10).map((name) => ({ name })),
      { priority: 7 },
    );
    expect((await queue.takeMany(30)).map(({ payload }) => payload.name)).toEqual(names);
  });

  test("whoever settles a job must hold this delivery of it: who has it no longer cannot, though he had it", async () => {
    const one = await seam();
    await queue.put({ name: "alice" });
    const [first] = await one.take(1, 60_000);
    await one.settle({ ...first!, type: "release", delay: 0 });
    const [second] = await one.take(1, 60_000);
    expect(second!.fence).toBeGreaterThan(first!.fence);
    expect(await one.ack(first!)).toEqual(["lost"]);
    expect(await one.ack(second!)).toEqual(["gone"]);
  });
});
