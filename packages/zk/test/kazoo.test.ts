/**
 * The cases of the tests of kazoo's queue recipes (K1 to K12), as far as they speak of this contract, and the known defects of those (B1 to B11): we have
 * none of them. Their priorities are numbers of any size here, and a job that is held is a `Job`, so nothing speaks of `holds_lock`. B4 and B10 are
 * about their cache and their methods. B7 and B11, what many entries cost, is shown by B9 here and measured in `tools/bench`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "@pq/core";
import { newRequestId } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available, fourLetter, type ZkServer } from "@pq/services";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Paths } from "../src/paths.ts";
import { code, newJob, newJobs, type Seam, Site, texts } from "./support.ts";

const there = await available("zk");

describe.skipIf(!there.available)("kazoo", { timeout: 60_000 }, () => {
  let site: Site & { readonly server: ZkServer };
  let queue: Queue<string>;
  let tests = 0;
  const queues = new Set<Queue<string>>();

  beforeAll(async () => {
    site = await Site.start();
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
  function open(): Queue<string> {
    const opened = new Queue<string>(`q${tests}`, { backend: site.unopened() });
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

  /** How many entries the log of the queue has had. */
  async function entries(): Promise<number> {
    const { zk } = await site.raw();
    const paths = new Paths(site.root).queue(queue.name);
    const buckets = (await zk.children(paths.log)) ?? [];
    const stats = await Promise.all(buckets.map((_, number) => zk.exists(paths.bucket(number))));
    return stats.reduce((sum, stat) => sum + (stat?.created ?? 0), 0);
  }

  test("K1, K5: what is no job, or no priority, is refused at once, and nothing is put", async () => {
    await expect(queue.put(undefined as never)).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
    await expect(queue.putMany({} as never)).rejects.toThrow(TypeError);
    await expect(queue.putMany([undefined] as never)).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
    for (const priority of ["100", 10.5, NaN, 2 ** 40] as number[]) {
      await expect(queue.put("a", { priority })).rejects.toThrow(/priority/);
      await expect(queue.putMany(["a"], { priority })).rejects.toThrow(/priority/);
    }
    expect(await queue.size()).toBe(0);
    expect(await queue.put("a", { priority: -100 })).toMatchObject({ status: "added" });
  });

  test("K2, K6: nothing comes out of an empty queue, and it stays empty", async () => {
    expect(await queue.size()).toBe(0);
    expect(await queue.take()).toBeNull();
    expect(await queue.size()).toBe(0);
  });

  test("K3: jobs come in the order in which they were put", async () => {
    for (const name of ["one", "two", "three"]) await queue.put(name);
    expect(await queue.size()).toBe(3);
    for (const name of ["one", "two", "three"]) {
      const job = await taken();
      expect(job.payload).toBe(name);
      await job.ack();
    }
    expect(await queue.size()).toBe(0);
  });

  test("K4, K11: the lower number comes first, those of one number in their order", async () => {
    await queue.put("four", { priority: 101 });
    await queue.put("one", { priority: 0 });
    await queue.put("two", { priority: 0 });
    await queue.put("three", { priority: 10 });
    const names = [await taken(), await taken(), await taken(), await taken()].map(({ payload }) => payload);
    expect(names).toEqual(["one", "two", "three", "four"]);
  });

  test("K7, K8: a job is held until it is acknowledged, once", async () => {
    await queue.put("one");
    await queue.putMany(["two", "three"]);
    expect(await queue.size()).toBe(3);
    for (const name of ["one", "two", "three"]) {
      const job = await taken();
      expect([job.payload, (await queue.peek(job.id))?.state]).toEqual([name, "leased"]);
      await job.ack();
      expect(await code(job.ack())).not.toBe("done");
      expect(await queue.peek(job.id)).toBeNull();
    }
    expect(await queue.size()).toBe(0);
  });

  test("K9, B10: a job that is given back comes again, and who gave it back holds it no more", async () => {
    await queue.put("one");
    const job = await taken();
    await job.release();
    expect(await code(job.ack())).not.toBe("done");
    const again = await taken(open());
    expect(again.payload).toBe("one");
    await again.ack();
    expect(await code(again.release())).not.toBe("done");
    expect(await queue.size()).toBe(0);
  });

  test("K12: of three who wait for one job one gets it, and the others nothing", async () => {
    const waiting = [queue, open(), open()].map((each) => each.take({ wait: 1000 }));
    await queue.put("one");
    const jobs = await Promise.all(waiting);
    expect(jobs.flatMap((job) => (job === null ? [] : [job.payload]))).toEqual(["one"]);
  });

  test("K3: what is put later and comes first is not kept back by what was seen before", async () => {
    await queue.putMany(["a", "b", "c"]);
    expect((await taken()).payload).toBe("a");
    await open().put("first", { priority: -1 });
    expect((await taken()).payload).toBe("first");
  });

  test(
    "B1: 10,000 waits that time out leave no watch, no place in line and no memory",
    { timeout: 120_000 },
    async () => {
      const [one, other] = [await seam(), await seam()];
      await one.stats();
      const waits = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n += 100) await Promise.all(Array.from({ length: 100 }, () => one.wait(1)));
      };
      await waits(1000);
      const watches = await site.figure("zk_watch_count");
      const written = await entries();
      const memory = process.memoryUsage().heapUsed;
      await waits(10_000);
      // A place in line is kept for the next wait: none is written for each.
      expect((await entries()) - written).toBeLessThan(20);
      expect((await site.figure("zk_watch_count")) - watches).toBeLessThan(5);
      expect(process.memoryUsage().heapUsed - memory).toBeLessThan(64 * 1024 * 1024);
      // The one place that is left does not swallow a job.
      const waiting = other.wait(20_000);
      await one.put(newJob("a"), newJob("b"));
      await waiting;
      expect(texts(await other.take(5))).toEqual(["a", "b"]);
    },
  );

  test("B1: 1,000 takes that time out leave no watch", async () => {
    expect(await queue.take({ wait: 1 })).toBeNull();
    const watches = await site.figure("zk_watch_count");
    for (let n = 0; n < 10; n++) {
      const jobs = await Promise.all(Array.from({ length: 100 }, () => queue.take({ wait: 2 })));
      expect(jobs.every((job) => job === null)).toBe(true);
    }
    expect((await site.figure("zk_watch_count")) - watches).toBeLessThan(5);
  });

  test("B2, B3: a job that was taken from its holder is his no more: what he does is refused, and he goes on", async () => {
    await queue.putMany(["one", "two"]);
    const [holder, other] = [await seam(), await seam()];
    const [late] = await holder.take(1, 100);
    const [job] = await eventually(async () => {
      const jobs = await other.take(2);
      const again = jobs.filter(({ id }) => id === late!.id);
      const others = jobs.filter(({ id }) => id !== late!.id);
      for (const { id, fence } of others) await other.settle({ type: "release", id, fence, delay: 0 });
      expect(again).toHaveLength(1);
      return again;
    });
    expect(await holder.ack(late!)).toEqual(["lost"]);
    expect(await other.ack(job!)).toEqual(["gone"]);
    expect(await holder.ack(late!)).toEqual(["lost"]);
    await queue.put("three");
    expect((await holder.take(5)).length).toBeGreaterThan(0);
  });

  test("B2: who puts while the queue is deleted by hand is told, or its jobs are there", async () => {
    const one = await seam();
    await one.put(newJob("before"));
    const { zk } = await site.raw();
    const paths = new Paths(site.root).queue(queue.name);
    for (const name of (await zk.children(paths.bucket(0))) ?? []) await zk.delete(`${paths.bucket(0)}/${name}`);
    await zk.delete(paths.bucket(0));
    await zk.delete(paths.log);
    const outcome = await code(one.put(newJob("after")));
    expect(outcome).toMatch(/^(?:UNAVAILABLE|OUTCOME_UNKNOWN|done)$/);
    if (outcome === "done") expect(texts(await one.take(5))).toContain("after");
    // It is a new queue for whoever comes then.
    await eventually(async () => expect(await code(one.put(newJob("new")))).toBe("done"));
    expect(texts(await one.take(5))).toContain("new");
  });

  test("B5: several who take at once get as many jobs as there are, not the first alone", async () => {
    const seams = await Promise.all(Array.from({ length: 5 }, () => seam()));
    await seams[0]!.put(...newJobs(5));
    await Promise.all(seams.map((each) => each.stats()));
    const jobs = await Promise.all(seams.map((each) => each.take(1)));
    expect(texts(jobs.flat()).sort()).toEqual(["0", "1", "2", "3", "4"]);
  });

  test("B6: of 20 processes that wait one stirs for one job", async () => {
    const seams = await Promise.all(Array.from({ length: 20 }, () => seam()));
    const stops = seams.map(() => new AbortController());
    let woken = 0;
    const waits = seams.map(async (each, at) => {
      const { signal } = stops[at]!;
      await each.wait(20_000, signal);
      if (signal.aborted) return;
      woken++;
      await each.take(1);
    });
    const { zk } = await site.raw();
    const log = new Paths(site.root).queue(queue.name).bucket(0);
    await eventually(async () => expect((await zk.exists(log))?.created).toBe(20));
    // All of them follow the log: a watch each.
    await eventually(async () => expect(await site.figure("zk_watch_count")).toBeGreaterThanOrEqual(20));
    const before = await entries();
    const packets = await site.figure("zk_packets_received");
    await queue.put("one");
    // No look at the store meanwhile, since packets are counted.
    await eventually(() => expect(woken).toBe(1));
    await sleep(500);
    const more = (await site.figure("zk_packets_received")) - packets;
    expect((await queue.stats()).leased).toBe(1);
    expect(woken).toBe(1);
    // The put and the take.
    expect((await entries()) - before).toBe(2);
    // Each reads the two entries, and watches for the next one; besides there are greetings, more of them on a slow machine.
    expect(more).toBeLessThan(20 * 40);
    for (const stop of stops) stop.abort();
    await Promise.all(waits);
  });

  test("B8: what is too large is refused here, and harms nothing that is under way", async () => {
    const one = await seam();
    const calls = Array.from({ length: 20 }, (_, n) => one.put(newJob(String(n))));
    const large = queue.put("x".repeat(1_200_000));
    await expect(large).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    const many = queue.putMany(Array.from({ length: 17 }, () => "x".repeat(500_000)));
    await expect(many).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect((await Promise.all(calls)).flat().every(({ status }) => status === "added")).toBe(true);
    // More than a server takes in one request, and not too large.
    await queue.putMany(Array.from({ length: 8 }, () => "x".repeat(500_000)));
    const { ready } = await one.stats();
    expect(ready).toBe(28);
    expect(one.backend.events).toEqual([]);
    const fresh = await seam();
    const jobs = await fresh.take(30);
    expect(jobs.filter(({ payload }) => payload.length > 500_000)).toHaveLength(8);
  });

  test("B9: numbers do not end: entries go on in another bucket, in their order, whoever is at the boundary", async () => {
    const seams = await Promise.all(Array.from({ length: 4 }, () => seam()));
    const done: string[][] = seams.map(() => []);
    // Each entry of its own: 2,200 of them, so two boundaries.
    await Promise.all(
      seams.map(async (each, at) => {
        for (let n = 0; n < 550; n++) {
          await each.put(newJob(`${at}:${n}`));
          done[at]!.push(`${at}:${n}`);
        }
      }),
    );
    const { zk } = await site.raw();
    const paths = new Paths(site.root).queue(queue.name);
    expect(((await zk.children(paths.log)) ?? []).length).toBeGreaterThanOrEqual(3);
    const fresh = await seam();
    const names = texts((await Promise.all([fresh.take(1000), fresh.take(1000), fresh.take(1000)])).flat());
    expect(names).toHaveLength(2200);
    for (const [at, mine] of done.entries()) expect(names.filter((name) => name.startsWith(`${at}:`))).toEqual(mine);
  });

  test("a take that is repeated answers as the first one", async () => {
    await queue.putMany(["a", "b"]);
    const one = await seam();
    const params = { request: newRequestId(), queue: queue.name, limit: 1, lease: 60_000 };
    const first = await one.backend.take(params);
    expect(texts(first)).toHaveLength(1);
    expect(await one.backend.take(params)).toEqual(first);
    expect(await fourLetter(site.server.host, site.server.port, "ruok")).toBe("imok");
  });
});
