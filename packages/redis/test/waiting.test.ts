import { Queue } from "@pq/core";
import { sleep, systemClock } from "@pq/core/backend";
import { eventually, FaultProxy } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newJob, newJobs, type Seam, Site } from "./support.ts";

const there = await available("redis", "program");

/** How long idle processes are watched, in ms. By hand a minute, with `--reporter=verbose` to see the figures. */
const IDLE = Number(process.env["PQ_IDLE_MS"] ?? 2000);
/** A process looks again every four to five seconds, with three calls: a take, a registration, and the blocking command. */
const MOST_CALLS = 3 * Math.ceil(1 + IDLE / 4000);
/** Long enough for anybody to wake who is going to. */
const SETTLED = 150;

describe.skipIf(!there.available)("waiting", () => {
  let site: Site;
  let over: AbortController;

  beforeEach(async () => {
    site = await Site.start();
    over = new AbortController();
  });

  afterEach(async () => {
    over.abort();
    await site.close();
  });

  function waitThen(seam: Seam, act: () => unknown): void {
    seam.wait(60_000, over.signal).then(act, act);
  }

  /** So many processes that wait; `woken` are those whose wait has ended. */
  async function herd(count: number): Promise<{ readonly seams: Seam[]; readonly woken: number[] }> {
    const seams = await Promise.all(Array.from({ length: count }, () => site.queue()));
    const woken: number[] = [];
    for (const [at, seam] of seams.entries()) waitThen(seam, () => woken.push(at));
    await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe(String(count)));
    return { seams, woken };
  }

  test("one put wakes one of 20 processes, and n puts wake n", async () => {
    const { seams, woken } = await herd(20);
    const [producer] = seams;
    await producer!.put(newJob());
    await eventually(() => expect(woken).toHaveLength(1));
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(1);
    await Promise.all(newJobs(4).map((job) => producer!.put(job)));
    await eventually(() => expect(woken).toHaveLength(5));
    await producer!.put(...newJobs(6));
    await eventually(() => expect(woken).toHaveLength(11));
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(11);
    await producer!.put(...newJobs(100));
    await eventually(() => expect(woken).toHaveLength(20));
  });

  test("a delayed job wakes one of 8 processes at its time", async () => {
    const { seams, woken } = await herd(8);
    const began = performance.now();
    await seams[0]!.put(newJob("late", { due: { in: 400 } }));
    await eventually(() => expect(woken).toHaveLength(1));
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(399);
    expect(took).toBeLessThan(400 + seams[0]!.backend.capabilities.lateness);
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(1);
  });

  test("a delayed job wakes others on time when the process that has waited longest is cut off", async () => {
    await using proxy = await FaultProxy.listen({ port: site.server.port });
    const first = await site.queue("q", { url: `redis://${proxy.host}:${proxy.port}` });
    void first.wait(60_000, over.signal).catch(() => undefined);
    await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe("1"));
    const others = await Promise.all([site.queue(), site.queue(), site.queue()]);
    const woken: Seam[] = [];
    for (const other of others) waitThen(other, () => woken.push(other));
    await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe("4"));
    const began = performance.now();
    await others[0].put(newJob("late", { due: { in: 300 } }));
    proxy.halfOpen();
    // A token may go to the one that is cut off; the job itself is found by any that looks, and each looks at the time.
    await eventually(async () => {
      expect(woken.length).toBeGreaterThan(0);
      expect(await woken[0]!.take(1)).toHaveLength(1);
    });
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(299);
    expect(took).toBeLessThan(300 + first.backend.capabilities.lateness);
  });

  test("an earlier due time that comes later is heard", async () => {
    const seam = await site.queue();
    await seam.put(newJob("late", { due: { in: 30_000 } }));
    const other = await site.queue();
    let woken = 0;
    const waiting = other.wait(20_000, over.signal).then(() => (woken = performance.now()));
    await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe("1"));
    const began = performance.now();
    await seam.put(newJob("soon", { due: { in: 200 } }));
    await waiting;
    expect(woken - began).toBeGreaterThanOrEqual(199);
    expect(woken - began).toBeLessThan(200 + seam.backend.capabilities.lateness);
  });

  test("an expired lease wakes somebody else's wait on time", async () => {
    const [holder, other] = [await site.queue(), await site.queue()];
    await holder.put(newJob("job"));
    const began = performance.now();
    await holder.take(1, 250);
    await other.wait(20_000, over.signal);
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(249);
    expect(took).toBeLessThan(250 + other.backend.capabilities.lateness);
  });

  /** The calls that clients make in a while, scripts counted as one, without those of this test. */
  async function callsWhileIdle(): Promise<number> {
    const count = async (): Promise<number> => {
      const stats = await site.info("commandstats");
      const calls = (name: string): number => Number(/calls=(\d+)/.exec(stats.get(`cmdstat_${name}`) ?? "")?.[1] ?? 0);
      return calls("evalsha") + calls("eval") + calls("blpop");
    };
    await sleep(systemClock, SETTLED);
    const before = await count();
    await sleep(systemClock, IDLE);
    return (await count()) - before;
  }

  test.for<[string, number, number]>([
    ["one consumer", 1, 1],
    ["64 workers of one process", 1, 64],
    ["64 workers of 8 processes", 8, 8],
  ])(
    "idle, %s: one blocked connection for each process, and no polling",
    { timeout: 15_000 + IDLE },
    async ([, processes, workers], { annotate }) => {
      const queues = Array.from({ length: processes }, () => new Queue("idle", { backend: site.unopened() }));
      await Promise.all(queues.map((queue) => queue.ready()));
      for (const queue of queues) for (let n = 0; n < workers; n++) queue.work(() => undefined);
      await eventually(async () => expect((await site.info("clients")).get("blocked_clients")).toBe(String(processes)));
      const calls = await callsWhileIdle();
      await annotate(`${calls} calls in ${IDLE} ms`);
      expect(calls).toBeLessThanOrEqual(processes * MOST_CALLS);
      expect(Number((await site.info("clients")).get("blocked_clients"))).toBe(processes);
      await Promise.all(queues.map((queue) => queue.close()));
    },
  );
});
