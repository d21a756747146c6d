import { describe, expect, test } from "vitest";
import type { WaitParams } from "../src/backend.ts";
import { bytes, type Job } from "../src/index.ts";
import { ReferenceStore } from "../src/testing/index.ts";
import { errorOf, Gate, silence, stateOf, TestBackend, turns, unavailable } from "./support.ts";

describe("a waiting take", () => {
  test("does not wait by default, nor for 0", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    expect(await queue.take()).toBeNull();
    expect(await queue.take({ wait: false })).toBeNull();
    expect(await queue.take({ wait: 0 })).toBeNull();
    expect(t.count("wait")).toBe(0);
  });

  test("gives null when its time is over", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const take = queue.take({ wait: "30s" });
    await t.clock.advance(29_999);
    expect(await stateOf(take)).toBe("pending");
    await t.clock.advance(1);
    expect(await take).toBeNull();
    expect(t.clock.timers).toBe(0);
  });

  test("gets a delayed job when it is due", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const take = queue.take({ wait: true });
    await queue.put("x", { delay: "3s" });
    await t.clock.advance(2990);
    expect(await stateOf(take)).toBe("pending");
    await t.clock.advance(20);
    expect((await take)?.payload).toBe("x");
  });

  test("takeMany waits for the first only", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const take = queue.takeMany(5, { wait: true });
    await t.clock.advance(10);
    await queue.putMany([1, 2]);
    await t.clock.advance(10);
    expect((await take).map(({ payload }) => payload)).toEqual([1, 2]);
  });

  test("rejects with the signal's reason, before and while it waits, and leaves nothing behind", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const reason = new Error("enough");
    expect(await errorOf(queue.take({ wait: true, signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    const take = errorOf(queue.take({ wait: true, signal: controller.signal }));
    await t.clock.advance(10);
    controller.abort(reason);
    expect(await take).toBe(reason);
    await turns();
    expect(t.clock.timers).toBe(0);
    expect(t.params<WaitParams>("wait")[0]?.signal.aborted).toBe(true);
  });

  test("aborted while the take is under way: what it brings goes back", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    await queue.put(1);
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    const controller = new AbortController();
    const take = errorOf(queue.take({ signal: controller.signal }));
    await turns();
    controller.abort(new Error("enough"));
    expect((await take).message).toBe("enough");
    gate.open();
    await turns();
    expect((await queue.take())?.attempt).toBe(1);
  });

  test("aborted between the wake-up and the job: somebody else here gets it", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const controller = new AbortController();
    const first = errorOf(queue.take({ wait: true, signal: controller.signal }));
    await turns();
    const second = queue.take({ wait: true });
    await turns();
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    await queue.put(1);
    await turns();
    controller.abort(new Error("enough"));
    await first;
    gate.open();
    expect((await second)?.attempt).toBe(1);
  });

  test("aborted between the wake-up and the job, with nobody else here: it goes back", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const controller = new AbortController();
    const take = errorOf(queue.take({ wait: true, signal: controller.signal }));
    await turns();
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    await queue.put(1);
    await turns();
    controller.abort(new Error("enough"));
    await take;
    gate.open();
    await turns();
    expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0 });
  });

  test("goes on waiting after a job that nobody can read", async () => {
    const t = new TestBackend();
    await using producer = t.queue<Uint8Array>({ codec: bytes });
    await using queue = t.queue();
    queue.on("error", () => undefined);
    const take = queue.take({ wait: "30s" });
    await producer.put(Uint8Array.of(0x7b), { maxAttempts: 1 });
    await t.clock.advance(5000);
    expect(await stateOf(take)).toBe("pending");
    await queue.put("fine");
    expect((await take)?.payload).toBe("fine");
    const late = queue.take({ wait: "3s" });
    await t.clock.advance(1000);
    await producer.put(Uint8Array.of(0x7b), { maxAttempts: 1 });
    await t.clock.advance(1999);
    expect(await stateOf(late)).toBe("pending");
    await t.clock.advance(1);
    expect(await late).toBeNull();
  });

  test("a job that comes after the take and before the wait is not missed", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const gate = new Gate();
    t.next("wait", { type: "hold", gate: gate.opened });
    const take = queue.take({ wait: true });
    await turns();
    expect(t.count("wait")).toBe(1);
    await queue.put(1);
    await turns();
    gate.open();
    await turns();
    expect((await take)?.payload).toBe(1);
  });

  test("many wait on one call of the backend", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const takes = Array.from({ length: 64 }, () => queue.take({ wait: true }));
    await t.clock.advance(100);
    expect(t.count("wait")).toBe(1);
    await t.clock.advance(60_000);
    // Idle costs are bounded: one wait and one take each 4 to 5 s.
    expect(t.count("wait")).toBeLessThan(17);
    expect(t.count("take")).toBeLessThan(64 + 17);
    await queue.putMany(Array.from({ length: 64 }, (_, n) => n));
    await t.clock.advance(10);
    const jobs = await Promise.all(takes);
    expect(new Set(jobs.map((job) => job?.payload)).size).toBe(64);
  });

  test("no wake-up is lost with many takers and jobs that come one by one, on two connections", async () => {
    const one = new TestBackend();
    const store = new ReferenceStore(one.clock);
    const sides = [new TestBackend(one.clock, store), new TestBackend(one.clock, store)] as const;
    const queues = sides.map((side) => side.queue<number>());
    const got: number[] = [];
    const take = async (queue: (typeof queues)[number], lease: number): Promise<void> => {
      const job = (await queue.take({ wait: true, lease })) as Job<number>;
      got.push(job.payload);
      await job.ack();
    };
    const takers = Array.from({ length: 30 }, (_, n) => take(queues[n % 2] as (typeof queues)[number], 1000 + (n % 3)));
    await turns();
    for (let n = 0; n < 30; n++) {
      await queues[n % 2]?.put(n);
      await turns(n % 4);
    }
    // Time stands still: nothing here was rescued by the safety net.
    await turns(20);
    expect(got.length).toBe(30);
    await Promise.all(takers);
    await Promise.all(queues.map((queue) => queue.close()));
  });

  test("a wait that wakes for nothing is no busy loop", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.always("wait", { type: "hold", gate: Promise.resolve() });
    await queue.pause();
    await queue.put(1);
    t.backend.wait = async () => undefined;
    const controller = new AbortController();
    const take = errorOf(queue.take({ wait: true, signal: controller.signal }));
    await t.clock.advance(10_000);
    expect(t.count("take")).toBeLessThan(150);
    controller.abort(new Error("enough"));
    await take;
  });

  test("is as quick after a long idle time as at its beginning", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const seen: unknown[] = [];
    queue.work((job) => void seen.push(job.payload));
    for (let n = 0; n < 40; n++) {
      await t.clock.advance(4000 + n * 25);
      await queue.put(n);
      await turns();
      expect(seen.length).toBe(n + 1);
    }
  });

  test("a worker that has emptied the queue waits without looking again, and misses nothing", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const seen: number[] = [];
    // Twice: a worker lets others have their turn now and then, and begins to wait only after that.
    const rest = async (): Promise<void> => {
      await t.clock.advance(10);
      await t.clock.advance(10);
    };
    queue.work((job) => void seen.push(job.payload), { concurrency: 2 });
    await rest();
    expect([t.count("take"), t.count("wait")]).toEqual([1, 1]);
    await queue.put(1);
    await rest();
    expect([t.count("take"), t.count("wait")]).toEqual([2, 2]);
    // Put before the wait reaches the store.
    const gate = new Gate();
    t.next("wait", { type: "hold", gate: gate.opened });
    await queue.put(2);
    await rest();
    await queue.put(3);
    gate.open();
    await rest();
    expect(seen).toEqual([1, 2, 3]);
    expect([t.count("take"), t.count("wait")]).toEqual([4, 4]);
  });

  test("while jobs come as quickly as they are taken, a worker looks before it waits", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const gate = new Gate();
    queue.work(() => gate.opened, { concurrency: 3 });
    await turns();
    expect([t.count("take"), t.count("wait")]).toEqual([1, 1]);
    await queue.put(1);
    await turns();
    expect([t.count("take"), t.count("wait")]).toEqual([3, 2]);
    gate.open();
  });

  test("a wait that fails is only slower", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.always("wait", unavailable);
    const take = queue.take({ wait: true });
    await t.clock.advance(3000);
    await queue.put(1);
    await t.clock.advance(5000);
    expect((await take)?.payload).toBe(1);
  });

  test("a wait that never ends is only slower", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.always("wait", silence);
    const take = queue.take({ wait: true });
    await turns();
    await queue.put(1);
    await t.clock.advance(8000);
    expect((await take)?.payload).toBe(1);
  });

  test("learns that the store cannot be reached", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ deadline: 1000 });
    const take = errorOf(queue.take({ wait: true }));
    await turns();
    t.always("take", unavailable);
    await t.clock.advance(10_000);
    expect(await take).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("learns that the queue is closed", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    const take = errorOf(queue.take({ wait: true }));
    await turns();
    await queue.close();
    expect(await take).toMatchObject({ code: "CLOSED" });
    expect(t.clock.timers).toBe(0);
  });

  test("jobs of a take under way at close go back before the backend is left", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.put(1);
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    const controller = new AbortController();
    const take = errorOf(queue.take({ signal: controller.signal }));
    await turns();
    controller.abort(new Error("enough"));
    await take;
    const closing = queue.close();
    await turns();
    gate.open();
    await closing;
    await using again = t.queue();
    expect((await again.take())?.attempt).toBe(1);
  });
});

describe("consume", () => {
  test("gives jobs one after the other", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3]);
    const seen: number[] = [];
    for await (const job of queue.consume()) {
      seen.push(job.payload);
      await job.ack();
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(await queue.size()).toBe(0);
  });

  test("releases what is unsettled when the loop goes on, breaks, or throws", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2]);
    const loop = async (): Promise<void> => {
      for await (const job of queue.consume()) {
        // The first comes back at once.
        if (job.payload === 1 && (await queue.stats()).counters.release === 0) continue;
        throw new Error("out");
      }
    };
    expect((await errorOf(loop())).message).toBe("out");
    expect(await queue.stats()).toMatchObject({ ready: 2, leased: 0, counters: { release: 2 } });
    for await (const job of queue.consume()) if (job.attempt > 0) break;
    expect((await queue.stats()).leased).toBe(0);
  });

  test("keeps the lease alive while the body runs, and no longer", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 300 });
    await queue.put(1);
    const jobs = queue.consume();
    const { value: job } = (await jobs.next()) as { value: Job<number> };
    await t.clock.advance(3000);
    expect(job.holdsLease()).toBe(true);
    await job.ack();
    await jobs.return();
    expect(t.clock.timers).toBe(0);
  });

  test("a signal ends it, also while it waits", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const controller = new AbortController();
    const next = queue.consume({ signal: controller.signal }).next();
    await t.clock.advance(10);
    expect(await stateOf(next)).toBe("pending");
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test("return ends a next that waits", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const jobs = queue.consume();
    const next = jobs.next();
    await turns();
    await jobs.return();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await jobs.next()).toEqual({ done: true, value: undefined });
  });

  test("closing the queue ends it and gives back what was taken ahead", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>();
    await queue.putMany([1, 2, 3]);
    const jobs = queue.consume({ prefetch: 5 });
    await jobs.next();
    await queue.close();
    await using again = t.queue<number>();
    expect(await again.stats()).toMatchObject({ ready: 3, leased: 0 });
  });

  test("goes on after the store's failures, and tells of them", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ deadline: 500 });
    t.always("take", unavailable);
    const errors: unknown[] = [];
    queue.on("error", ({ error }) => errors.push(error));
    const next = queue.consume().next();
    await t.clock.advance(5000);
    expect(errors.length).toBeGreaterThan(1);
    t.always("take", undefined);
    await queue.put(7);
    await t.clock.advance(2000);
    expect((await next).value?.payload).toBe(7);
  });
});
