import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fold } from "../src/fold.ts";
import { queueNames, readStats } from "../src/stats.ts";
import { PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("counting", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  test("the counts of all pages are summed up, after what has fallen due", async () => {
    const queue = await store.queue();
    const [lost, last, over, due] = [
      newJob("lost"),
      newJob({ maxAttempts: 1 }),
      newJob({ ttl: 1 }),
      newJob({ due: { in: 1 } }),
    ];
    for (const job of [lost, last, over, due]) await queue.put(job);
    await queue.put(newJob({ due: { in: 60_000 } }), newJob({ urgent: true }));
    for (const job of [lost, last]) await queue.take(job, 1);
    const { counters, ...counts } = await readStats(queue.call(), queue.parts);
    expect(counts).toEqual({ ready: 3, delayed: 1, leased: 0, buried: 1, done: 0, paused: false });
    expect(counters).toMatchObject({ put: 6, urgent: 1, take: 2, expired: 1, leaseExpired: 2, bury: 1, ack: 0 });
    expect(Object.keys(counters)).toHaveLength(15);
  });

  test("so much may have fallen due that one call does not get through", async () => {
    const queue = await store.queue();
    await queue.putMany(1010, { due: { in: 1 } });
    const first = await readStats(queue.call(), queue.parts);
    expect([first.ready, first.delayed]).toEqual([1000, 10]);
    const second = await readStats(queue.call(), queue.parts);
    expect([second.ready, second.delayed]).toEqual([1010, 0]);
  });

  test("a page that is not admitted yet counts for nothing, and its queue is not known by it", async () => {
    const queue = await store.queue();
    const page = await queue.put(newJob("a"));
    await queue.tamper(page, { pending: true });
    const { ready, counters } = await readStats(queue.call(), queue.parts);
    expect([ready, counters.put]).toEqual([0, 0]);
    expect(await queueNames(queue.call())).toEqual([]);
  });

  test("a damaged page has no jobs, and what was counted of it stays", async () => {
    const queue = await store.queue();
    const page = await queue.put(newJob("a"));
    await queue.all.pages.updateOne({ _id: page }, { $unset: { s: "" } });
    await queue.parts.pages.read(queue.call(), {});
    const { ready, counters } = await readStats(queue.call(), queue.parts);
    expect([ready, counters.put]).toEqual([0, 1]);
  });

  test("the names of queues are those that ever had a job, as they were given", async () => {
    const queue = await store.queue("$where: {\0}");
    await queue.put(newJob("a"));
    const emptied = queue.sibling("emptied");
    const job = newJob("b");
    const page = await emptied.put(job);
    await emptied.finish(job, "ack");
    await emptied.age(page);
    while (await fold(emptied.call(), emptied.parts));
    expect(await queue.all.pages.countDocuments({ q: "emptied" })).toBe(0);
    const refused = queue.sibling("refused");
    await refused.put();
    expect((await queueNames(queue.call())).toSorted()).toEqual(["$where: {\0}", "emptied"]);
  });

  test("each of many queues is found", async () => {
    const queue = await store.queue();
    const names = Array.from({ length: 40 }, (_, at) => `queue ${at}`);
    for (const name of names) await queue.sibling(name).put(newJob());
    expect((await queueNames(queue.call())).toSorted()).toEqual(names.toSorted());
  });
});
