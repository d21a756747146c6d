/** What the server has to do and to keep. Counted in commands and bytes, not in time; the long form (PQ_COST_JOBS=1000000, with
 * `--reporter=verbose`) also shows times, and fails when one script takes 50 ms. */
import { sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newJob, newJobs, type Seam, Site } from "./support.ts";

const there = await available("redis", "program");
const JOBS = Number(process.env["PQ_COST_JOBS"] ?? 20_000);
const BY_HAND = process.env["PQ_COST_JOBS"] !== undefined;
/** An entry of SLOWLOG: number, time, microseconds, command. */
type SlowCall = readonly [number, number, number, readonly string[]];

const LIMIT = 60_000 + JOBS;

/** The most commands that one call may make the server run, whatever has fallen due. */
const MOST_COMMANDS = 15_000;
/** The most bytes of memory for a waiting job with a payload of 100 bytes. */
const MOST_BYTES = 220;

describe.skipIf(!there.available)("the cost", () => {
  let site: Site;
  let seam: Seam;

  beforeEach(async () => {
    site = await Site.start(["--appendonly", "no", "--slowlog-log-slower-than", "50000", "--slowlog-max-len", "10000"]);
    seam = await site.queue("q", { commandTimeout: 20_000 });
  });

  afterEach(async () => site.close());

  async function commands(): Promise<number> {
    const stats = await site.info("commandstats");
    return [...stats.values()].reduce((sum, text) => sum + Number(/calls=(\d+)/.exec(text)?.[1] ?? 0), 0);
  }

  /** The largest number of commands of one call until so many jobs were given out. */
  async function dearest(call: () => Promise<number>, count: number): Promise<{ most: number; calls: number }> {
    let [most, calls] = [0, 0];
    for (let got = 0; got < count; calls++) {
      const before = await commands();
      got += await call();
      most = Math.max(most, (await commands()) - before);
      if (calls > 10 * count) throw new Error(`only ${got} of ${count} came`);
    }
    return { most, calls };
  }

  /** What it took, and by hand: that no script took 50 ms. */
  async function inspect(found: object): Promise<string> {
    const slow = (await site.admin.call("SLOWLOG", "GET", "10000")) as readonly SlowCall[];
    const times = slow.filter(([, , , [name]]) => /^eval/i.test(name ?? "")).map(([, , usec]) => usec);
    if (BY_HAND) expect(times).toEqual([]);
    const stats = (await site.info("commandstats")).get("cmdstat_evalsha");
    return `${JOBS} jobs: ${JSON.stringify(found)}, scripts over 50 ms: ${times.length}, all: ${stats}`;
  }

  async function reset(): Promise<void> {
    await site.admin.call("SLOWLOG", "RESET");
    await site.admin.config("RESETSTAT");
  }

  const taken = async (): Promise<number> => {
    const jobs = await seam.take(100, 600_000);
    if (jobs.length > 0) await seam.ack(...jobs);
    return jobs.length;
  };

  test.for<[string, object]>([
    ["plain", {}],
    ["with key, priority and ttl", { priority: 3, ttl: 86_400_000 }],
  ])(
    "of leases that have all run out (%s) is bounded for each call",
    { timeout: LIMIT },
    async ([, fields], { annotate }) => {
      await seam.putAll(newJobs(JOBS, fields));
      for (let left = JOBS; left > 0; left -= 1000) await seam.take(1000, 600_000);
      expect((await seam.stats()).leased).toBe(JOBS);
      // All at once, as after a failure: without waiting for the leases, and without giving them back one by one.
      const ids = await site.admin.zrangeBuffer("pq:{q}:leased", "0", "-1");
      for (let at = 0; at < ids.length; at += 1000) {
        const members: (string | Buffer)[] = ids.slice(at, at + 1000).flatMap((id) => ["1", id]);
        await site.admin.zadd("pq:{q}:leased", ...members);
      }
      await site.admin.hset("pq:{q}:meta", "next", 1);
      await reset();
      const { most, calls } = await dearest(taken, JOBS);
      await annotate(await inspect({ most, calls }));
      expect(most).toBeLessThan(MOST_COMMANDS);
      expect(await seam.stats()).toMatchObject({ ready: 0, leased: 0, counters: { leaseExpired: JOBS, ack: JOBS } });
    },
  );

  test("of jobs that have all fallen due is bounded for each call", { timeout: LIMIT }, async ({ annotate }) => {
    // Due after the last put, as far as this machine needs for it.
    const due = { at: Date.now() + 1500 + JOBS / 20 };
    await seam.putAll(newJobs(JOBS, { due }));
    await sleep(systemClock, Math.max(0, due.at - Date.now() + 10));
    await reset();
    const { most, calls } = await dearest(taken, JOBS);
    await annotate(await inspect({ most, calls }));
    expect(most).toBeLessThan(MOST_COMMANDS);
    expect(await seam.stats()).toMatchObject({ ready: 0, delayed: 0, counters: { ack: JOBS } });
  });

  test("of jobs whose TTL is over is bounded for each call", { timeout: LIMIT }, async ({ annotate }) => {
    await seam.putAll(newJobs(JOBS, { ttl: 1 }));
    await sleep(systemClock, 5);
    await reset();
    const expired = async (): Promise<number> => {
      const before = Number(await site.admin.hget("pq:{q}:meta", "expired"));
      await seam.take(1);
      return Number(await site.admin.hget("pq:{q}:meta", "expired")) - before;
    };
    const already = Number(await site.admin.hget("pq:{q}:meta", "expired"));
    const { most, calls } = await dearest(expired, JOBS - already);
    await annotate(await inspect({ most, calls }));
    expect(most).toBeLessThan(MOST_COMMANDS);
    expect((await seam.stats()).ready).toBe(0);
  });

  test("of a take, an ack and a put does not grow with the backlog", { timeout: LIMIT }, async () => {
    const round = async (): Promise<number> => {
      const before = await commands();
      await seam.put(newJob("x", { priority: 1 }));
      const jobs = await seam.take(10);
      await seam.ack(...jobs);
      return (await commands()) - before;
    };
    await seam.put(...newJobs(20));
    const few = await round();
    await seam.putAll(newJobs(JOBS));
    for (let left = JOBS / 2; left > 0; left -= 1000) await seam.take(1000);
    expect(await round()).toBeLessThanOrEqual(few + 5);
  });
});

describe.skipIf(!there.available)("the memory of a waiting job of 100 bytes", () => {
  test.for<[string, number, number]>([
    ["putMany", 1000, 100_000],
    ["single puts", 1, 20_000],
  ])("put by %s", { timeout: LIMIT }, async ([, batch, atLeast], { annotate }) => {
    const site = await Site.start(["--appendonly", "no"]);
    const count = BY_HAND ? Math.max(atLeast, JOBS) : atLeast;
    /** Without the buffers of clients, and the answers kept for repeated calls: some 20,000 of them, however many jobs wait. */
    const used = async (): Promise<number> => {
      // The server frees old answers beside its other work.
      await eventually(async () => expect((await site.info("memory")).get("lazyfree_pending_objects")).toBe("0"));
      const answers = await Promise.all(
        ["answers", "older"].map((part) => site.admin.memory("USAGE", `pq:{q}:${part}`, "SAMPLES", 0)),
      );
      return (
        Number((await site.info("memory")).get("used_memory_dataset")) -
        answers.reduce((sum: number, n) => sum + (n ?? 0), 0)
      );
    };
    try {
      const seam = await site.queue("q", { commandTimeout: 20_000 });
      await seam.put(newJob("first"));
      const before = await used();
      for (let at = 0; at < count; at += 1000) {
        const jobs = Array.from({ length: 1000 }, () => newJob(new Uint8Array(100)));
        if (batch > 1) await seam.put(...jobs);
        else await Promise.all(jobs.map((job) => seam.put(job)));
      }
      const bytes = ((await used()) - before) / count;
      await annotate(`${count} jobs: ${bytes.toFixed(1)} bytes each`);
      expect(bytes).toBeGreaterThan(100);
      expect(bytes).toBeLessThan(MOST_BYTES);
    } finally {
      await site.close();
    }
  });
});
