import { Binary } from "mongodb";
import { eventually, ManualClock, newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fold } from "../src/fold.ts";
import { Folding } from "../src/folding.ts";
import { readStats } from "../src/stats.ts";
import { breakingOff, interrupting, type PageQueue, PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

/** Payloads of this many bytes are in documents of their own. */
const LARGE = "x".repeat(5000);

describe.skipIf(!there.available)("folding", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  /** A page of two jobs, both of them acked, with all that may belong to it. */
  async function overPage(queue: PageQueue): Promise<string> {
    const jobs = [newJob(LARGE), newJob(LARGE)];
    const page = await queue.put(...jobs);
    for (const job of jobs) await queue.finish(job, "ack");
    const lane = { q: queue.name, g: "g", page, v: "v", p: new Binary(Buffer.from("p")) };
    await queue.all.lanes.insertOne({ _id: `${page}/g`, ...lane });
    return page;
  }

  /** Two pages that are over, and one that has a job. */
  async function someOver(): Promise<PageQueue> {
    const queue = await store.queue();
    const over = [await overPage(queue), await overPage(queue)];
    const left = newJob(LARGE);
    await queue.put(left, newJob("b"));
    await queue.finish(left, "ack");
    await queue.age(...over);
    return queue;
  }

  const stats = (queue: PageQueue) => readStats(queue.call(), queue.parts);

  /** All that is stored of pages. */
  async function stored({ all }: PageQueue): Promise<number[]> {
    return Promise.all([all.pages, all.bodies, all.lanes].map((each) => each.countDocuments({})));
  }

  const expected = { put: 6, take: 5, ack: 5, delete: 0 };

  test("pages that are over are counted in the head and deleted, with all that belongs to them", async () => {
    const queue = await someOver();
    expect(await stored(queue)).toEqual([3, 3, 2]);
    expect(await fold(queue.call(), queue.parts)).toBe(false);
    expect(await stored(queue)).toEqual([1, 1, 0]);
    const head = await queue.all.heads.findOne();
    expect(head?.total).toMatchObject({ put: 4, take: 4, ack: 4 });
    expect(head?.fold).toEqual({ v: 1, pages: [] });
    expect((await stats(queue)).counters).toMatchObject(expected);
  });

  test("broken off after any command, it is finished by the next one, and nothing is counted twice in between", async () => {
    const commands = await breakingOff(
      someOver,
      (queue, commands) => fold(queue.call(commands), queue.parts),
      async (queue) => {
        // Which folds as well: so what is stored is looked at as it is.
        expect((await stats(queue)).counters).toMatchObject(expected);
        while (await fold(queue.call(), queue.parts));
        expect(await stored(queue)).toEqual([1, 1, 0]);
        const { ready, counters } = await stats(queue);
        expect({ ready, ...counters }).toMatchObject({ ready: 1, ...expected });
      },
    );
    expect(commands).toBe(8);
  });

  test("another may fold before any command", async () => {
    await interrupting(
      someOver,
      (queue, call) => fold(call, queue.parts),
      (queue) => fold(queue.call(), queue.parts),
      async (queue) => {
        expect((await queue.all.heads.findOne())?.total).toMatchObject({ put: 4, take: 4, ack: 4 });
        expect(await stored(queue)).toEqual([1, 1, 0]);
      },
    );
  });

  test("whoever sums up counts each page once, though others fold before any command", async () => {
    const found: unknown[] = [];
    await interrupting(
      async () => {
        const queue = await someOver();
        // Nothing is due for those who sum up.
        await queue.all.pages.updateMany({}, { $set: { wake: new Date(Date.now() + 60_000) } });
        return queue;
      },
      async (queue, call) => found.push((await readStats(call, queue.parts)).counters),
      async (queue) => {
        const over = await queue.all.pages.find({ closed: { $exists: true } }).toArray();
        await queue.age(...over.map(({ _id }) => _id));
        await fold(queue.call(), queue.parts);
      },
      async () => expect(found.at(-1)).toMatchObject(expected),
    );
  });

  test("while pages are deleted, whoever sums up leaves out those that the head counts", async () => {
    for (let commands = 3; commands < 7; commands++) {
      const queue = await someOver();
      await fold(queue.call(commands), queue.parts).catch(() => undefined);
      // Nothing is due for those who look now.
      queue.parts.time.saw(1);
      await queue.all.pages.updateMany({}, { $unset: { wake: "" } });
      expect((await stats(queue)).counters, `after ${commands}`).toMatchObject(expected);
    }
  });

  test("many fold at once, others sum up meanwhile, and nothing is counted twice or not at all", async () => {
    const queue = await store.queue();
    const pages: string[] = [];
    for (let page = 0; page < 40; page++) pages.push(await overPage(queue));
    await queue.age(...pages);
    const sums = Array.from({ length: 8 }, async () => {
      const { counters } = await stats(queue);
      expect(counters).toMatchObject({ put: 80, ack: 80 });
    });
    await Promise.all([...sums, ...Array.from({ length: 8 }, () => fold(queue.call(), queue.parts))]);
    expect((await stats(queue)).counters).toMatchObject({ put: 80, ack: 80 });
    expect(await stored(queue)).toEqual([0, 0, 0]);
  });

  test("as many as there are, some at a time", async () => {
    const queue = await store.queue();
    await queue.age(...(await queue.putMany(450)));
    const left: [boolean, number][] = [];
    for (let more = true; more;) {
      more = await fold(queue.call(), queue.parts);
      left.push([more, await queue.all.pages.countDocuments()]);
    }
    expect(left).toEqual([
      [true, 250],
      [true, 50],
      [false, 0],
    ]);
    expect((await queue.all.heads.findOne())?.total?.put).toBe(450);
  });

  test.each([
    ["was closed less than a minute ago", () => ({ $set: { closed: new Date(Date.now() - 30_000) } })],
    ["has groups to look after", () => ({ $set: { todo: ["g"] } })],
    ["has jobs", () => ({ $unset: { closed: "" as const } })],
  ])("a page that %s stays", async (_, update) => {
    const queue = await someOver();
    const page = await overPage(queue);
    await queue.age(page);
    await queue.all.pages.updateOne({ _id: page }, update());
    while (await fold(queue.call(), queue.parts));
    expect(await stored(queue)).toEqual([2, 2, 1]);
  });

  test("a page that is damaged stays, with its bytes and its counts", async () => {
    const queue = await someOver();
    const page = await overPage(queue);
    await queue.age(page);
    await queue.tamper(page, { s: new Binary(Buffer.from("nothing")) });
    await queue.parts.pages.read(queue.call(), { _id: page });
    while (await fold(queue.call(), queue.parts));
    expect(await stored(queue)).toEqual([2, 2, 1]);
    expect((await stats(queue)).counters).toMatchObject({ put: 8, ack: 7 });
  });

  test("an unknown queue has nothing to fold, and does not become known", async () => {
    const queue = await store.queue();
    expect(await fold(queue.call(), queue.parts)).toBe(false);
    expect(await queue.all.heads.countDocuments()).toBe(0);
  });

  test("happens beside the calls of whoever uses the queue, now and then", async () => {
    const clock = new ManualClock();
    const queue = await someOver();
    await queue.age(await overPage(queue));
    const folding = new Folding(queue.parts, () => queue.call(), clock);
    const before = await stored(queue);
    folding.inUse();
    await clock.advance(20_000);
    expect(await stored(queue)).toEqual(before);
    folding.inUse();
    await eventually(async () => expect(await stored(queue)).not.toEqual(before));
  });
});
