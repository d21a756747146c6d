import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { housekeep } from "../src/housekeeping.ts";
import { findJob } from "../src/page/page.ts";
import { breakingOff, type PageQueue, PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("housekeeping", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  const states = async ({ all }: PageQueue): Promise<string[]> => {
    const pages = await all.pages.find().sort({ n: 1 }).toArray();
    return pages.map((page) => page.in.join(" "));
  };

  /** A page with a delayed job that fell due so many ms ago. */
  async function overdue(queue: PageQueue, ms: number): Promise<void> {
    const job = newJob({ due: { in: 60_000 } });
    await queue.put(job);
    await queue.change(job.id, (page, { now }) => {
      findJob(page, job.id)!.until = now - ms;
    });
  }

  test("writes what has fallen due, so many pages at a time, the longest overdue first", async () => {
    const queue = await store.queue();
    for (const ms of [1000, 3000, 2000, -60_000]) await overdue(queue, ms);
    expect(await housekeep(queue.call(), queue.parts, 2)).toBe(true);
    expect(await states(queue)).toEqual(["delayed", "ready", "ready", "delayed"]);
    expect(await housekeep(queue.call(), queue.parts, 2)).toBe(false);
    expect(await states(queue)).toEqual(["ready", "ready", "ready", "delayed"]);
    const before = await queue.all.pages.find().toArray();
    expect(await housekeep(queue.call(), queue.parts)).toBe(false);
    expect(await queue.all.pages.find().toArray()).toEqual(before);
  });

  test("broken off after any command, it is finished by the next one, with whose turn it is in groups", async () => {
    await breakingOff(
      async () => {
        const queue = await store.queue();
        const [over, next] = [newJob({ group: "g", ttl: 1 }), newJob({ group: "g" })];
        for (const job of [over, next]) await queue.put(job);
        return queue;
      },
      (queue, commands) => housekeep(queue.call(commands), queue.parts),
      async (queue) => {
        while (await housekeep(queue.call(), queue.parts));
        const pages = await queue.all.pages.find().sort({ n: 1 }).toArray();
        expect(pages.map(({ free, todo }) => [free, todo])).toEqual([
          [0, undefined],
          [1, undefined],
        ]);
      },
    );
  });

  test("a page that somebody else changes meanwhile is left to them", async () => {
    const queue = await store.queue();
    const jobs = Array.from({ length: 20 }, () => newJob({ due: { in: 60_000 } }));
    await queue.put(...jobs);
    const [first] = jobs;
    await queue.change(first!.id, (page, { now }) => {
      for (const job of page.jobs) job.until = now - 1;
    });
    await Promise.all(Array.from({ length: 8 }, () => housekeep(queue.call(), queue.parts)));
    while (await housekeep(queue.call(), queue.parts));
    const page = await queue.all.pages.findOne();
    expect([page?.c.ready, page?.v]).toEqual([20, 2]);
  });

  test("asks what became of a put that was never admitted", async () => {
    const queue = await store.queue();
    const [old, young] = [await queue.put(newJob("old")), await queue.put(newJob("young"))];
    const pending = { pending: true, in: [] };
    await queue.tamper(old, { ...pending, wake: new Date(Date.now() - 1000) });
    await queue.tamper(young, { ...pending, wake: new Date(Date.now() + 30_000) });
    while (await housekeep(queue.call(), queue.parts));
    expect((await queue.all.pages.find().toArray()).map(({ _id }) => _id)).toEqual([young]);
  });
});
