/** Who is woken, and when: on connections that share all calls, by a server that has room for so many calls at once. */
import { sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { installChanged } from "./invariants/changed.ts";
import { Process } from "./process.ts";
import { code, newJob, newJobs, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");
/** Long enough for a wake-up that should not come. */
const SETTLED = 100;

describe.skipIf(!there.available)("those who wait", () => {
  let site: Site;
  let queue: string;
  let queues = 0;
  let over: AbortController;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());
  beforeEach(() => {
    queue = `q${queues++}`;
    over = new AbortController();
  });
  afterEach(() => over.abort());

  const inLine = (): Promise<number> => site.ask(`return #(_G.__pq.pq.state.lines['${queue}'] or {})`);

  async function seams(count: number): Promise<Seam[]> {
    return Promise.all(Array.from({ length: count }, () => site.queue(queue)));
  }

  /** So many processes that wait, and the numbers of those that were woken. */
  async function herd(count: number): Promise<{ readonly all: readonly Seam[]; readonly woken: number[] }> {
    const all = await seams(count);
    const woken: number[] = [];
    for (const [at, seam] of all.entries()) {
      const waiting = seam.wait(60_000, over.signal).then(() => over.signal.aborted || woken.push(at));
      waiting.catch(() => undefined);
    }
    await eventually(async () => expect(await inLine()).toBe(count));
    return { all, woken };
  }

  test("one put wakes one of 20 processes, and n puts wake n, who waited longest first", async () => {
    const { all, woken } = await herd(20);
    const [producer] = all;
    await producer!.put(newJob());
    await eventually(() => expect(woken).toHaveLength(1));
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(1);
    await Promise.all(newJobs(4).map((job) => producer!.put(job)));
    await eventually(() => expect(woken).toHaveLength(5));
    await producer!.put(...newJobs(6), newJob("later", { due: { in: 60_000 } }));
    await eventually(() => expect(woken).toHaveLength(11));
    // Of a group only one can be taken.
    await producer!.put(...newJobs(5, { group: "g" }));
    await eventually(() => expect(woken).toHaveLength(12));
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(12);
    await producer!.put(...newJobs(100));
    await eventually(() => expect(woken).toHaveLength(20));
    expect(await inLine()).toBe(0);
  });

  test("a delayed job wakes one of 8 at its time", async () => {
    const { all, woken } = await herd(8);
    const began = performance.now();
    await all[0]!.put(newJob("late", { due: { in: 200 } }));
    await eventually(() => expect(woken).toHaveLength(1));
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(199);
    expect(took).toBeLessThan(200 + 1000);
    await sleep(systemClock, SETTLED);
    expect(woken).toHaveLength(1);
  });

  test("a due time that comes while the log is slow, and somebody looks, is not missed", async () => {
    const prefix = "slow";
    const looks = "local ok, _, moment = pcall(pq.transaction, look, name)";
    await installChanged(site, prefix, [[looks, `${looks}\n    fiber.sleep(0.1)`]]);
    const waiter = await site.queue(queue, { prefix });
    const producer = await site.queue(queue, { prefix });
    const began = performance.now();
    const waiting = waiter.wait(3000);
    const isLooking = async (): Promise<boolean> => site.ask(`return _G.__pq.slow.state.lines['${queue}'] ~= nil`);
    await eventually(async () => expect(await isLooking()).toBe(true));
    await producer.put(newJob("job", { due: { in: 150 } }));
    await waiting;
    expect(performance.now() - began).toBeLessThan(2500);
    expect(texts(await waiter.take())).toEqual(["job"]);
  });

  test("a process that was killed takes no wake-up", async () => {
    const dead = new Process(site.server.port);
    const first = await site.queue(queue, dead.options);
    first.wait(60_000, over.signal).catch(() => undefined);
    await eventually(async () => expect(await inLine()).toBe(1));
    const { all, woken } = await herdBehind(first);
    dead.die("end");
    await all[0]!.put(newJob());
    await eventually(() => expect(woken).toHaveLength(1));
    expect(texts(await all[0]!.take())).toEqual([""]);
  });

  async function herdBehind(first: Seam): Promise<{ readonly all: readonly Seam[]; readonly woken: number[] }> {
    const all = await seams(2);
    const woken: number[] = [];
    const waiting = all[1]!.wait(60_000, over.signal).then(() => over.signal.aborted || woken.push(1));
    waiting.catch(() => undefined);
    await eventually(async () => expect(await inLine()).toBe(first === all[0] ? 1 : 2));
    return { all, woken };
  }

  test("a job that a dead process gives back wakes another one, and not the dead (N33)", async () => {
    const dead = new Process(site.server.port);
    const holder = await site.queue(queue, { ...dead.options, leaseGrace: 50 });
    const [other] = await seams(1);
    await other!.put(newJob("held"));
    await holder.take();
    // It waits itself, before the other one.
    holder.wait(60_000, over.signal).catch(() => undefined);
    await eventually(async () => expect(await inLine()).toBe(1));
    const waiting = other!.wait(60_000, over.signal);
    await eventually(async () => expect(await inLine()).toBe(2));
    dead.die("reset");
    await waiting;
    expect(texts(await other!.take())).toEqual(["held"]);
  });

  test("who gives up leaves the line, and a wake-up that was meant for him goes to another", async () => {
    const [first, second, producer] = await seams(3);
    for (let n = 0; n < 20; n++) {
      const gone = new AbortController();
      let woken = false;
      const waiting = first!.wait(60_000, gone.signal).then(() => (woken = true));
      await eventually(async () => expect(await inLine()).toBe(1));
      const other = second!.wait(3000);
      await eventually(async () => expect(await inLine()).toBe(2));
      const put = producer!.put(newJob());
      if (n % 2 === 0) await sleep(systemClock, n / 10);
      const told = woken;
      gone.abort();
      await Promise.all([waiting, put]);
      // Whoever was told before he gave up may take it. Else it is the other one's.
      if (told) await producer!.put(newJob());
      const began = performance.now();
      await other;
      expect(performance.now() - began).toBeLessThan(2500);
      await producer!.drain();
      await eventually(async () => expect(await inLine()).toBe(0));
    }
  });

  test("a paused queue wakes nobody, its resume does", async () => {
    const { all, woken } = await herd(3);
    await all[0]!.control("pause");
    await all[0]!.put(...newJobs(2));
    await sleep(systemClock, SETTLED);
    expect(woken).toEqual([]);
    await all[0]!.control("resume");
    await eventually(() => expect(woken).toHaveLength(2));
  });
});

describe.skipIf(!there.available)("more who wait than the server has room for", () => {
  let site: Site;
  afterEach(async () => site?.close());

  test("do not keep others from work, and get their jobs", { timeout: 20_000 }, async () => {
    site = await Site.start({ cfg: { net_msg_max: 16 } });
    const seam = await site.queue();
    const names = Array.from({ length: 40 }, (_, at) => `q${at}`);
    const got: string[] = [];
    const over = new AbortController();
    const waiting = names.map(async (queue) => {
      while (!over.signal.aborted) {
        await seam.backend.wait({ queue, timeout: 5000, signal: over.signal });
        const jobs = await Object.assign(Object.create(seam) as Seam, { name: queue }).take(5);
        if (jobs.length > 0) return got.push(queue);
      }
      return 0;
    });
    await eventually(async () => expect(await site.ask("return _G.__pq.pq.state.waiting")).toBe(8));
    const began = performance.now();
    for (let n = 0; n < 50; n++) expect(await code(seam.stats())).toBe("done");
    expect(performance.now() - began).toBeLessThan(3000);
    for (const name of names) {
      await Object.assign(Object.create(seam) as Seam, { name }).put(newJob(name));
    }
    await eventually(() => expect(got.toSorted()).toEqual(names.toSorted()), { patience: 10_000 });
    over.abort();
    await Promise.all(waiting);
  });
});
