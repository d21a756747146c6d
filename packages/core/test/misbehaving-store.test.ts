/** Stores that answer twice, late, or with what is no answer; and what must come of it. */
import { describe, expect, test } from "vitest";
import { PqError } from "../src/index.ts";
import { errorOf, Gate, TestBackend, turns, unavailable } from "./support.ts";

/** The rejections that nobody handles, from now on. */
function unhandled(): { readonly seen: unknown[]; stop(): void } {
  const seen: unknown[] = [];
  const listen = (error: unknown): void => void seen.push(error);
  process.on("unhandledRejection", listen);
  return { seen, stop: () => process.off("unhandledRejection", listen) };
}

describe("a take whose tries are all answered", () => {
  test("keeps the jobs that two tries gave", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    await queue.put("x");
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    const take = queue.take();
    await t.clock.advance(5100);
    const job = await take;
    gate.open();
    await t.clock.advance(0);
    await turns();
    expect(t.count("take")).toBe(2);
    expect(t.count("settle")).toBe(0);
    await job?.ack();
  });

  test("gives back what the first try took after the second had found nothing", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const gate = new Gate();
    t.next("take", { type: "hold", gate: gate.opened });
    const take = queue.take();
    await t.clock.advance(5100);
    expect(await take).toBeNull();
    await queue.put("x");
    gate.open();
    await turns();
    await t.clock.advance(10);
    expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0 });
  });
});

describe("an answer that is none", () => {
  test("a putMany with too few outcomes is of unknown outcome", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    Object.assign(t.backend, { put: async () => [] });
    expect(await errorOf(queue.putMany([1, 2]))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("nothing at all, after a try of unknown outcome and after the end, leaves no call open and no rejection", async () => {
    const watch = unhandled();
    const t = new TestBackend();
    await using queue = t.queue();
    await queue.ready();
    const gate = new Gate();
    let calls = 0;
    Object.assign(t.backend, {
      put: () => (calls++ === 0 ? new Promise(() => undefined) : Promise.resolve(undefined)),
      take: () => gate.opened,
    });
    const put = errorOf(queue.put("x"));
    const take = errorOf(queue.take());
    await t.clock.advance(20_000);
    expect((await put).message).toBeTruthy();
    expect(await take).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    gate.open();
    await turns();
    expect(watch.seen).toEqual([]);
    watch.stop();
  });

  test("an answer that is no promise is taken as it is, and throwing is as good as rejecting", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.ready();
    let calls = 0;
    Object.assign(t.backend, {
      take: () => [],
      stats: () => {
        if (calls++ === 0) throw new Error("at once");
        return { ready: 1, delayed: 0, leased: 0 };
      },
    });
    expect(await queue.take()).toBeNull();
    const size = queue.size();
    await t.clock.advance(100);
    expect(await size).toBe(1);
    expect(t.clock.timers).toBe(0);
    await queue.close();
  });
});

describe("a store that is away while its queue closes", () => {
  test("is not opened again by a call that was trying to open it", async () => {
    const t = new TestBackend();
    t.always("open", unavailable);
    const queue = t.queue();
    const size = errorOf(queue.size());
    await turns();
    await queue.close();
    t.always("open", undefined);
    const opened = t.count("open");
    await t.clock.advance(20_000);
    expect(await size).toMatchObject({ code: "CLOSED" });
    expect(t.count("open")).toBe(opened);
  });
});

describe("a store that closes slowly", () => {
  test("is not opened again for a queue that came and went meanwhile", async () => {
    const t = new TestBackend();
    const first = t.queue();
    await first.ready();
    const gate = new Gate();
    t.next("close", { type: "hold", gate: gate.opened });
    const closing = first.close();
    await turns();
    const second = t.queue();
    const size = errorOf(second.size());
    const left = second.close();
    await turns();
    gate.open();
    await Promise.all([closing, left]);
    await t.clock.advance(20_000);
    expect(await size).toMatchObject({ code: "CLOSED" });
    expect(t.count("open")).toBe(1);
  });
});

describe("a batch that is sent one by one", () => {
  test("ends by the deadline, however slow the store is", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.ready();
    Object.assign(t.backend, {
      put: (params: { jobs: unknown[] }) => {
        if (params.jobs.length > 1) return Promise.reject(new PqError("INVALID_STATE", "one of them"));
        return new Promise((resolve) => t.clock.timer(4000, () => resolve([{ status: "added" }])));
      },
    });
    const puts = Array.from({ length: 10 }, (_, index) => queue.put(index).catch((error: unknown) => error));
    await t.clock.advance(15_000);
    const all = await Promise.race([Promise.all(puts), turns().then(() => [])]);
    expect(all).toHaveLength(10);
    expect(all.at(-1)).toMatchObject({ code: "UNAVAILABLE" });
    await queue.close();
  });
});
