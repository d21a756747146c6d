import { Binary } from "mongodb";
import { eventually, ManualClock, newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { sweep } from "../src/sweep.ts";
import { type PageQueue, PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Payloads of this many bytes are in documents of their own. */
const LARGE = "x".repeat(5000);

describe.skipIf(!there.available)("sweeping", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  const ago = (ms: number): Date => new Date(Date.now() - ms);

  /** A store that somebody swept more than a day ago. */
  async function dueQueue(): Promise<PageQueue> {
    const queue = await store.queue();
    await queue.all.meta.insertOne({ _id: "sweep", at: ago(DAY + 1000) });
    return queue;
  }

  /** Payloads of a put that was broken off before its page. */
  async function orphans(queue: PageQueue, page: string, at: Date, count = 1): Promise<void> {
    const fields = { q: queue.name, page, at, p: new Binary(Buffer.from("bytes")) };
    await queue.all.bodies.insertMany(Array.from({ length: count }, (_, n) => ({ _id: `${page}/${n}`, ...fields })));
  }

  /** Sweep, with something that happens between the two looks. */
  async function swept(queue: PageQueue, meanwhile?: () => Promise<unknown>): Promise<void> {
    const clock = new ManualClock();
    const signal = new AbortController().signal;
    const over = vi.fn();
    const sweeping = sweep({ call: () => queue.call(), signal, clock }).finally(over);
    await eventually(() => expect(clock.timers + over.mock.calls.length).toBe(1));
    await meanwhile?.();
    await clock.advance(HOUR);
    await sweeping;
  }

  const pagesOf = async (queue: PageQueue): Promise<string[]> => {
    const bodies = await queue.all.bodies.find().toArray();
    return [...new Set(bodies.map(({ page }) => page))].toSorted();
  };

  test("payloads whose page never came are deleted, in whatever queue; those of pages stay", async () => {
    const queue = await dueQueue();
    const other = queue.sibling("other");
    const [job, otherJob] = [newJob(LARGE), newJob(LARGE)];
    const pages = [await queue.put(job), await other.put(otherJob)];
    await queue.finish(job, "bury");
    await queue.all.bodies.updateMany({}, { $set: { at: ago(DAY) } });
    await orphans(queue, "a", ago(2 * HOUR), 3);
    await orphans(other, "b", ago(2 * HOUR));
    await swept(queue);
    expect(await pagesOf(queue)).toEqual(pages.toSorted());
    expect(await queue.all.bodies.countDocuments()).toBe(3);
  });

  test("payloads that came within the last hour are left alone, with older ones of the same page", async () => {
    const queue = await dueQueue();
    await queue.put(newJob());
    await orphans(queue, "young", ago(HOUR - 60_000));
    await orphans(queue, "mixed", ago(2 * HOUR));
    await queue.all.bodies.insertOne({
      _id: "mixed/late",
      q: queue.name,
      page: "mixed",
      at: ago(0),
      p: new Binary(Buffer.from("bytes")),
    });
    await swept(queue);
    expect(await pagesOf(queue)).toEqual(["mixed", "young"]);
  });

  test("the payloads of a page that comes between the two looks stay, however old they seem", async () => {
    const queue = await dueQueue();
    const page = await queue.put(newJob(LARGE));
    const document = await queue.all.pages.findOneAndDelete({ _id: page });
    await queue.all.bodies.updateMany({}, { $set: { at: ago(DAY) } });
    await orphans(queue, "never", ago(DAY));
    await swept(queue, () => queue.all.pages.insertOne(document!));
    expect(await pagesOf(queue)).toEqual([page]);
  });

  test("nothing is deleted before the second look, nor after an abort", async () => {
    const queue = await dueQueue();
    await queue.put(newJob());
    await orphans(queue, "never", ago(DAY));
    const clock = new ManualClock();
    const aborting = new AbortController();
    const sweeping = sweep({ call: () => queue.call(), signal: aborting.signal, clock });
    await eventually(() => expect(clock.timers).toBe(1));
    await clock.advance(14 * 60_000);
    expect(await pagesOf(queue)).toEqual(["never"]);
    aborting.abort();
    await sweeping;
    expect(clock.timers).toBe(0);
    expect(await pagesOf(queue)).toEqual(["never"]);
  });

  test("once a day, by one of all who open the store, and not on the first", async () => {
    const queue = await store.queue();
    await queue.put(newJob());
    const look = async (): Promise<void> => {
      await orphans(queue, "never", ago(DAY));
      await Promise.all([swept(queue), swept(queue), swept(queue)]);
    };
    await orphans(queue, "never", ago(DAY));
    await swept(queue);
    await Promise.all([swept(queue), swept(queue)]);
    expect(await pagesOf(queue)).toEqual(["never"]);
    await queue.all.bodies.deleteMany({});
    await queue.all.meta.updateOne({ _id: "sweep" }, { $set: { at: ago(DAY + 1000) } });
    await look();
    expect(await pagesOf(queue)).toEqual([]);
    await look();
    expect(await pagesOf(queue)).toEqual(["never"]);
  });

  test("as many as there are, some at a time, also where one page has more than that", async () => {
    const queue = await dueQueue();
    const page = await queue.put(newJob(LARGE));
    await orphans(queue, "0", ago(DAY), 2500);
    for (let number = 1; number <= 20; number++) await orphans(queue, `${number}`, ago(DAY), 60);
    await swept(queue);
    expect(await pagesOf(queue)).toEqual([page]);
  });
});
