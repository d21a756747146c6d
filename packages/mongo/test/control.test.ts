import { type ControlResult, type NewJob, newRequestId, type RequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Call } from "../src/call.ts";
import { kick, truncate } from "../src/control.ts";
import { readState } from "../src/read.ts";
import { readStats } from "../src/stats.ts";
import { breakingOff, interrupting, type PageQueue, PageStore } from "./page-store.ts";

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("operators' calls for a whole queue", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  /** A call that can be repeated, also broken off. */
  type Repeatable = (queue: PageQueue, commands?: number) => Promise<ControlResult>;

  const kicking =
    (limit: number, request: RequestId = newRequestId()): Repeatable =>
    (queue, commands) =>
      kick(queue.call(commands), queue.parts, { request, queue: queue.name, type: "kick", limit });

  const truncating =
    (request: RequestId = newRequestId()): Repeatable =>
    (queue, commands) =>
      truncate(queue.call(commands), queue.parts, { request, queue: queue.name, type: "truncate" });

  const stats = (queue: PageQueue) => readStats(queue.call(), queue.parts);

  async function names(queue: PageQueue, state: "ready" | "buried"): Promise<string[]> {
    const { jobs } = await readState(queue.call(), queue.parts, { state, limit: 10_000, cursor: null });
    return jobs.map(({ payload }) => Buffer.from(payload).toString());
  }

  /** Jobs in pages of two, buried in another order than they were put. */
  async function buried(...order: readonly string[]): Promise<PageQueue> {
    const queue = await store.queue();
    const jobs = new Map<string, NewJob>(order.toSorted().map((name) => [name, newJob(name)]));
    const all = [...jobs.values()];
    for (let from = 0; from < all.length; from += 2) await queue.put(...all.slice(from, from + 2));
    for (const name of order) await queue.finish(jobs.get(name)!, "bury");
    return queue;
  }

  const ORDER = ["d", "a", "e", "b", "f", "c"] as const;

  test("a kick makes ready those that were buried first, in that order, whatever page they are in", async () => {
    const queue = await buried(...ORDER);
    await queue.put(newJob("fresh"));
    expect(await kicking(4)(queue)).toEqual({ count: 4, outcomes: [] });
    expect(await names(queue, "ready")).toEqual(["fresh", "d", "a", "e", "b"]);
    expect(await names(queue, "buried")).toEqual(["f", "c"]);
    expect((await stats(queue)).counters.kick).toBe(4);
    expect(await kicking(100)(queue)).toEqual({ count: 2, outcomes: [] });
    expect(await kicking(1)(queue)).toEqual({ count: 0, outcomes: [] });
  });

  test("jobs that are buried since their last lease ran out are kicked, though nobody has written it down", async () => {
    const queue = await store.queue();
    const job = newJob({ payload: "a", maxAttempts: 1 });
    await queue.put(job);
    await queue.take(job, 1);
    expect(await kicking(9)(queue)).toEqual({ count: 1, outcomes: [] });
    expect(await names(queue, "ready")).toEqual(["a"]);
    expect((await stats(queue)).counters).toMatchObject({ leaseExpired: 1, bury: 1, kick: 1 });
  });

  test("a kick of many goes on in steps", async () => {
    const queue = await store.queue();
    const jobs = Array.from({ length: 1203 }, (_, at) => newJob(String(at).padStart(4, "0")));
    await queue.put(...jobs.slice(0, 700));
    await queue.put(...jobs.slice(700));
    const order = [...jobs.slice(700), ...jobs.slice(0, 700)];
    await queue.buryAll(order);
    expect(await kicking(1202)(queue)).toEqual({ count: 1202, outcomes: [] });
    expect(await names(queue, "ready")).toEqual(
      order.slice(0, -1).map(({ payload }) => Buffer.from(payload).toString()),
    );
    expect(await names(queue, "buried")).toEqual(["0699"]);
  });

  test("a truncate removes the jobs of every state, and the pages are over", async () => {
    const queue = await store.queue();
    const [leased, buried, gone, damaged] = [newJob(), newJob(), newJob(), newJob()];
    await queue.put(leased, buried, gone, damaged, newJob({ due: { in: 60_000 } }), newJob());
    await queue.take(leased);
    await queue.finish(buried, "bury");
    await queue.finish(gone, "ack");
    await queue.change(damaged.id, (page) => {
      page.jobs[3]!.state = "damaged";
    });
    expect(await truncating()(queue)).toEqual({ count: 5, outcomes: [] });
    const { counters, ...counts } = await stats(queue);
    expect(counts).toEqual({ ready: 0, delayed: 0, leased: 0, buried: 0, done: 0, paused: false });
    expect(counters).toMatchObject({ put: 6, ack: 1, delete: 5 });
    expect((await queue.all.pages.findOne())?.closed).toBeInstanceOf(Date);
  });

  test("a truncate of many pages goes on in steps", async () => {
    const queue = await store.queue();
    await queue.putMany(250);
    expect(await truncating()(queue)).toEqual({ count: 250, outcomes: [] });
    expect((await stats(queue)).ready).toBe(0);
  });

  test("a truncate leaves what is put after it began, also when it is broken off and repeated", async () => {
    const queue = await store.queue();
    await queue.putMany(3);
    const call = truncating();
    await call(queue, 2).catch(() => undefined);
    await queue.put(newJob("later"));
    expect((await call(queue)).count).toBe(3);
    expect(await names(queue, "ready")).toEqual(["later"]);
    expect((await call(queue)).count).toBe(3);
    expect(await names(queue, "ready")).toEqual(["later"]);
  });

  test("pages that are not admitted yet are left alone", async () => {
    const queue = await store.queue();
    const page = await queue.put(newJob("a"));
    await queue.tamper(page, { pending: true, in: [], wake: new Date(1) });
    expect((await kicking(9)(queue)).count).toBe(0);
    expect((await truncating()(queue)).count).toBe(0);
    expect((await queue.all.pages.findOne())?.v).toBe(0);
  });

  test.each([
    ["kick", () => kicking(5), { ready: 5, buried: 1, counters: { kick: 5 } }],
    ["truncate", () => truncating(), { ready: 0, buried: 0, counters: { delete: 6 } }],
  ] as const)(
    "a %s that is broken off after any command is finished by its repetition, with the answer of one that was not",
    async (type, make, expected) => {
      let call: Repeatable = make();
      await breakingOff(
        () => {
          call = make();
          return buried(...ORDER);
        },
        (queue, commands) => call(queue, commands),
        async (queue) => {
          const { count } = await call(queue);
          expect(count).toBe(type === "kick" ? 5 : 6);
          const after = await stats(queue);
          expect(after).toMatchObject(expected);
          expect(await names(queue, "ready")).toEqual(type === "kick" ? ORDER.slice(0, 5) : []);
          expect((await call(queue)).count).toBe(count);
          expect(await stats(queue)).toEqual(after);
        },
      );
    },
  );

  test.each([
    ["kick", kick, { ready: 5, buried: 1, counters: { kick: 5 } }],
    ["truncate", truncate, { ready: 0, buried: 0, counters: { delete: 6 } }],
  ] as const)("a %s does its work once, though it is repeated before any command", async (type, run, expected) => {
    let request = newRequestId();
    const counts: number[] = [];
    const make = async (queue: PageQueue, call: Call): Promise<void> => {
      const params = { request, queue: queue.name, type, limit: 5 } as never;
      counts.push((await run(call, queue.parts, params)).count);
    };
    await interrupting(
      () => {
        request = newRequestId();
        return buried(...ORDER);
      },
      make,
      (queue) => make(queue, queue.call()),
      async (queue) => {
        expect(new Set(counts)).toEqual(new Set([type === "kick" ? 5 : 6]));
        expect(await stats(queue)).toMatchObject(expected);
        expect(await names(queue, "ready")).toEqual(type === "kick" ? ORDER.slice(0, 5) : []);
      },
    );
  });

  test.each([
    ["kick", () => kicking(40), { ready: 40, buried: 10 }],
    ["truncate", () => truncating(), { ready: 0, buried: 0 }],
  ] as const)("a %s that runs several times at once does its work once", async (_, make, counts) => {
    const queue = await store.queue();
    const jobs = Array.from({ length: 50 }, (_, at) => newJob(`${at}`));
    for (let from = 0; from < 50; from += 5) await queue.put(...jobs.slice(from, from + 5));
    await queue.buryAll(jobs);
    const call = make();
    const answers = await Promise.all(Array.from({ length: 6 }, () => call(queue)));
    const changed = 50 - counts.buried;
    expect(answers.map(({ count }) => count)).toEqual(answers.map(() => changed));
    expect(await stats(queue)).toMatchObject(counts);
    const { counters } = await stats(queue);
    expect(counters.kick + counters.delete).toBe(changed);
  });

  test("kicks at the same time share the jobs", async () => {
    const queue = await store.queue();
    const jobs = Array.from({ length: 50 }, (_, at) => newJob(`${at}`));
    for (let from = 0; from < 50; from += 5) await queue.put(...jobs.slice(from, from + 5));
    await queue.buryAll(jobs);
    const answers = await Promise.all(Array.from({ length: 6 }, () => kicking(8)(queue)));
    expect(answers.map(({ count }) => count)).toEqual([8, 8, 8, 8, 8, 8]);
    expect(await stats(queue)).toMatchObject({ ready: 48, buried: 2 });
    expect((await stats(queue)).counters.kick).toBe(48);
  });

  test("a job that a kick made ready, and that is buried again before the kick is repeated, stays buried", async () => {
    const call = kicking(9);
    let queue = await buried("a", "b");
    // Until its pages are written, and that is not noted yet.
    for (let commands = 1; (await names(queue, "ready")).length === 0; commands++) {
      queue = await buried("a", "b");
      await call(queue, commands).catch(() => undefined);
    }
    expect(await queue.all.controls.findOne()).toMatchObject({ count: 0, step: [{ jobs: [0, 1] }] });
    const [job] = (await readState(queue.call(), queue.parts, { state: "ready", limit: 1, cursor: null })).jobs;
    await queue.buryAll([job!]);
    expect((await call(queue)).count).toBe(2);
    expect([await names(queue, "ready"), await names(queue, "buried")]).toEqual([["b"], ["a"]]);
  });

  test("members of groups get their turn by a kick, and give it to nobody with a truncate", async () => {
    const queue = await store.queue();
    const [first, second] = [newJob({ payload: "a", group: "g" }), newJob({ payload: "b", group: "g" })];
    for (const job of [first, second]) {
      await queue.put(job);
      await queue.finish(job, "bury");
    }
    await kicking(9)(queue);
    const pages = () => queue.all.pages.find().sort({ n: 1 }).toArray();
    expect((await pages()).map(({ free, todo }) => [free, todo])).toEqual([
      [1, undefined],
      [0, undefined],
    ]);
    await truncating()(queue);
    expect((await pages()).map(({ free, todo }) => [free, todo])).toEqual([
      [0, undefined],
      [0, undefined],
    ]);
  });

  test("an unknown queue has nothing to kick or truncate", async () => {
    const queue = await store.queue();
    expect(await kicking(9)(queue)).toEqual({ count: 0, outcomes: [] });
    expect(await truncating()(queue)).toEqual({ count: 0, outcomes: [] });
  });
});
