/** Orders that the suite leaves to each store: what happens at the same moment, and pages of it. */
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newJob, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");

describe.skipIf(!there.available)("at the same moment", () => {
  let site: Site;
  let seam: Seam;
  let queues = 0;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(async () => site?.close());

  async function newQueue(): Promise<Seam> {
    return (seam = await site.queue(`q${queues++}`));
  }

  test("leases end in the order in which they were given", async () => {
    await newQueue();
    const once = { maxAttempts: 1 };
    await seam.put(newJob("third", { ...once, priority: 3 }), newJob("second", { ...once, priority: 2 }));
    await seam.put(newJob("first", { ...once, priority: 1 }), newJob("fourth", { ...once, priority: 4 }));
    const jobs = [...(await seam.take(3)), ...(await seam.take(1))];
    // One call, so that all of them end together.
    await seam.touch(60_000, ...jobs.toReversed());
    await site.server.admin(`
      for _, job in box.space.pq_jobs:pairs() do
        if job[3] == 3 then box.space.pq_jobs:update({job[1], job[2]}, {{'=', 4, 1}}) end
      end`);
    await seam.stats();
    expect(texts(await seam.list("buried"))).toEqual(["first", "second", "third", "fourth"]);
    expect((await seam.kick(2)).count).toBe(2);
    expect(texts(await seam.take(5))).toEqual(["first", "second"]);
  });

  test("delayed jobs of one due time are listed once each, page by page, new ones and returned ones", async () => {
    await newQueue();
    const jobs = Array.from({ length: 6 }, (_, at) => newJob(`returned ${at}`));
    await seam.put(...jobs);
    const back = await seam.take(6);
    await seam.settle(...back.map(({ id, fence }) => ({ id, fence, type: "release" as const, delay: 60_000 })));
    const at = (await seam.list("delayed"))[0]!.dueAt!;
    await seam.put(...Array.from({ length: 6 }, (_, n) => newJob(`new ${n}`, { due: { at } })));
    const listed: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await seam.backend.read({ queue: seam.name, state: "delayed", limit: 1, cursor });
      listed.push(...texts(page.jobs));
      ({ cursor } = page);
    } while (cursor !== null);
    expect(new Set(listed).size).toBe(12);
    expect(listed).toHaveLength(12);
    // New ones come to their places in the order of their puts.
    expect(listed.filter((name) => name.startsWith("new"))).toEqual(Array.from({ length: 6 }, (_, n) => `new ${n}`));
  });

  test("a delay that is over makes jobs ready in the order of their puts", async () => {
    await newQueue();
    await seam.put(...Array.from({ length: 20 }, (_, n) => newJob(String(n), { due: { in: 30 } })));
    const taken: string[] = [];
    await eventually(async () => {
      taken.push(...texts(await seam.take(20)));
      expect(taken).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
    });
  });
});
