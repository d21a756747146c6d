import { describe, expect, test } from "vitest";
import { PqError } from "../src/errors.ts";
import { fixed, type Job, UnrecoverableError } from "../src/index.ts";
import { collect, type Fate, Gate, lost, silence, stateOf, TestBackend, turns, unavailable } from "./support.ts";

describe("worker", () => {
  test("runs the handler on each job and acks", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3]);
    const seen: number[] = [];
    queue.work((job) => void seen.push(job.payload));
    await t.clock.advance(10);
    expect(seen).toEqual([1, 2, 3]);
    expect(await queue.size()).toBe(0);
    expect((await queue.stats()).counters.ack).toBe(3);
  });

  test("takes as many as there are free slots, in one call", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3, 4, 5]);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened, { concurrency: 4 });
    await t.clock.advance(10);
    expect(worker.running).toBe(4);
    expect(t.params<{ limit: number }>("take").map(({ limit }) => limit)).toEqual([4]);
    expect((await queue.stats()).leased).toBe(4);
    gate.open();
    await t.clock.advance(10);
    expect(await queue.size()).toBe(0);
  });

  test("settles what ends together in one call", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3, 4]);
    const gate = new Gate();
    queue.work(() => gate.opened, { concurrency: 4 });
    await t.clock.advance(10);
    gate.open();
    await t.clock.advance(10);
    expect(t.count("settle")).toBe(1);
  });

  test("fails a job whose handler throws, with the error's text, and tries again after the backoff", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1);
    const failures: unknown[] = [];
    let calls = 0;
    const worker = queue.work(
      () => {
        if (++calls < 2) throw new Error("not yet");
      },
      { backoff: fixed(500) },
    );
    worker.on("failed", ({ error, willRetry }) => failures.push([error, willRetry]));
    await t.clock.advance(10);
    expect((await queue.peek(id))?.lastError).toMatch(/^Error: not yet\n {4}at /);
    expect(failures).toEqual([[new Error("not yet"), true]]);
    expect(calls).toBe(1);
    await t.clock.advance(480);
    expect(calls).toBe(1);
    await t.clock.advance(20);
    expect(calls).toBe(2);
    expect(await queue.size()).toBe(0);
  });

  test("the job's own backoff goes before the worker's", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1, { backoff: fixed("2s") });
    queue.work(() => Promise.reject(new Error("no")), { backoff: fixed(1) });
    await t.clock.advance(10);
    const info = await queue.peek(id);
    expect(info?.state).toBe("delayed");
    expect((info?.dueAt ?? 0) - t.clock.now()).toBeGreaterThan(1900);
  });

  test("a backoff function gets attempt and error; a broken one gives way to the default", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1);
    const asked: unknown[] = [];
    queue.work(() => Promise.reject(new Error("no")), {
      backoff: (attempt, error) => {
        asked.push([attempt, (error as Error).message]);
        return attempt === 1 ? "3s" : Number.NaN;
      },
    });
    const errors = collect<{ error: unknown }>((listener) => queue.on("error", listener));
    await t.clock.advance(3010);
    expect(asked).toEqual([
      [1, "no"],
      [2, "no"],
    ]);
    expect(errors[0]?.error).toBeInstanceOf(RangeError);
    expect((await queue.peek(id))?.state).toBe("delayed");
  });

  test("buries after the last attempt, and at once for an UnrecoverableError", async () => {
    const t = new TestBackend();
    await using queue = t.queue<string>();
    const once = await queue.put("once", { maxAttempts: 1 });
    const hopeless = await queue.put("hopeless", { maxAttempts: 9 });
    const worker = queue.work((job) => {
      throw job.payload === "once" ? new Error("boom") : new UnrecoverableError("never");
    });
    const buried = collect<{ job: Job<string> }>((listener) => worker.on("buried", listener));
    await t.clock.advance(10);
    expect(await queue.peek(once.id)).toMatchObject({ state: "buried", buryReason: "failed" });
    expect(await queue.peek(hopeless.id)).toMatchObject({ state: "buried", buryReason: "buried" });
    expect((await queue.peek(hopeless.id))?.lastError).toContain("UnrecoverableError: never");
    expect(buried.map(({ job }) => job.payload)).toEqual(["once", "hopeless"]);
  });

  test("keeps the handler's result when the job asks for it", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const kept = await queue.put(21, { keepResult: "1h" });
    await queue.put(1);
    queue.work((job) => job.payload * 2);
    await t.clock.advance(10);
    expect(await queue.result(kept.id)).toBe(42);
  });

  test("a result that cannot be encoded fails the job", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1, { keepResult: "1h", maxAttempts: 1 });
    queue.work(() => 10n);
    await t.clock.advance(10);
    const info = await queue.peek(id);
    expect(info?.state).toBe("buried");
    expect(info?.lastError).toContain("bigint");
  });

  test("a handler may settle the job itself", async () => {
    const t = new TestBackend();
    await using queue = t.queue<string>();
    await queue.putMany(["bury", "requeue", "unawaited"]);
    let requeued = 0;
    queue.work(async (job) => {
      if (job.payload === "bury") await job.bury("by hand");
      else if (job.payload === "requeue" && requeued++ === 0) await job.requeue();
      else if (job.payload === "unawaited") job.bury().catch(() => undefined);
    });
    await t.clock.advance(10);
    const { counters, buried } = await queue.stats();
    expect(buried).toBe(2);
    expect(counters).toMatchObject({ requeue: 1, ack: 1, bury: 2 });
  });

  test("renews the lease while the handler runs", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 300 });
    await queue.put(1);
    const gate = new Gate();
    let deliveries = 0;
    queue.work(async () => {
      deliveries++;
      await gate.opened;
    });
    await t.clock.advance(2000);
    expect(deliveries).toBe(1);
    gate.open();
    await t.clock.advance(10);
    expect((await queue.stats()).counters).toMatchObject({ ack: 1, leaseExpired: 0 });
  });

  test("aborts the signal of a handler whose lease is lost", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 300 });
    await queue.put(1);
    let reason: unknown;
    const worker = queue.work(
      (job) =>
        new Promise<void>((resolve) => {
          job.signal.addEventListener("abort", () => {
            reason = job.signal.reason;
            resolve();
          });
        }),
    );
    const losses = collect<{ reason: string }>((listener) => worker.on("lost", listener));
    await t.clock.advance(10);
    await queue.truncate();
    await t.clock.advance(200);
    expect(reason).toMatchObject({ code: "LEASE_LOST" });
    expect(losses.map((loss) => loss.reason)).toEqual(["taken-over"]);
  });

  test("aborts the signal at the local end of the lease when it cannot be renewed", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 300, deadline: 200 });
    await queue.put(1, { maxAttempts: 1 });
    t.always("touch", unavailable);
    let lostAt = 0;
    const worker = queue.work(
      (job) =>
        new Promise<void>((resolve) =>
          job.signal.addEventListener("abort", () => ((lostAt = t.clock.monotonic()), resolve())),
        ),
    );
    const losses = collect<{ reason: string }>((listener) => worker.on("lost", listener));
    await t.clock.advance(299);
    expect(lostAt).toBe(0);
    await t.clock.advance(1);
    expect(lostAt).toBe(300);
    expect(losses.map((loss) => loss.reason)).toEqual(["expired"]);
    t.always("touch", undefined);
    await t.clock.advance(200);
  });

  test("a handler that takes too long: signal aborts with a TimeoutError, the job fails, the slot is free", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1, { maxAttempts: 1 });
    const seen: string[] = [];
    const worker = queue.work(
      (job) =>
        new Promise<void>((_resolve, reject) =>
          job.signal.addEventListener("abort", () => {
            seen.push((job.signal.reason as Error).name);
            reject(new Error("gave up"));
          }),
        ),
      { timeout: "1s" },
    );
    await t.clock.advance(1010);
    expect(seen).toEqual(["TimeoutError"]);
    expect(worker.running).toBe(0);
    expect((await queue.peek(id))?.lastError).toMatch(/^TimeoutError: the handler took longer than 1000 ms/);
  });

  test("a handler that ignores its timeout is reported, and others get its slot", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2], { maxAttempts: 1 });
    const seen: number[] = [];
    const worker = queue.work(
      (job) => {
        seen.push(job.payload);
        return job.payload === 1 ? new Promise(() => undefined) : undefined;
      },
      { timeout: 100 },
    );
    const errors = collect<{ error: unknown }>((listener) => worker.on("error", listener));
    await t.clock.advance(200);
    expect(seen).toEqual([1, 2]);
    await t.clock.advance(5000);
    expect(String(errors[0]?.error)).toMatch(/goes on although its time is over/);
  });

  const troubles: Record<string, Fate> = {
    UNAVAILABLE: unavailable,
    OUTCOME_UNKNOWN: lost,
    CORRUPT: { type: "reject", error: new PqError("CORRUPT", "bad block") },
    CLOSED: { type: "reject", error: new PqError("CLOSED", "closed") },
    "a plain Error": { type: "reject", error: new Error("bug") },
    "undefined thrown": { type: "reject", error: undefined },
    "no answer at all": silence,
  };

  test.each(Object.entries(troubles))("the loop goes on by itself after %s from take", async (_name, fate) => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 1000 });
    await queue.put(1);
    t.always("take", fate);
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.payload));
    const errors = collect<{ error: unknown }>((listener) => worker.on("error", listener));
    const recoveries = collect<{ failures: number }>((listener) => worker.on("recovered", listener));
    await t.clock.advance(60_000);
    expect(errors.length).toBeGreaterThan(0);
    expect(t.count("take")).toBeLessThan(300);
    t.always("take", undefined);
    await t.clock.advance(30_000);
    // What a lost reply took ran out of attempts meanwhile; a new job shows that the worker lives.
    await queue.put(2);
    await t.clock.advance(10);
    expect(seen).toContain(2);
    expect(recoveries.length).toBe(1);
  });

  test.each(Object.entries(troubles))("the loop goes on by itself after %s from wait", async (_name, fate) => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    t.always("wait", fate);
    const seen: number[] = [];
    queue.work((job) => void seen.push(job.payload));
    await t.clock.advance(20_000);
    expect(t.count("wait") + t.count("take")).toBeLessThan(100);
    t.always("wait", undefined);
    await queue.put(1);
    await t.clock.advance(10_000);
    expect(seen).toEqual([1]);
  });

  test.each(Object.entries(troubles))("the loop goes on by itself after %s from open", async (_name, fate) => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    t.always("open", fate);
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.payload));
    worker.on("error", () => undefined);
    await t.clock.advance(30_000);
    t.always("open", undefined);
    await t.clock.advance(90_000);
    await queue.put(1);
    await t.clock.advance(10);
    expect(seen).toEqual([1]);
  });

  test("an ack of unknown outcome does not fail the job", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ deadline: 1000 });
    await queue.put(1);
    t.always("settle", lost);
    const worker = queue.work(() => undefined);
    const errors = collect<{ error: unknown }>((listener) => worker.on("error", listener));
    const failed = collect((listener) => worker.on("failed", listener));
    await t.clock.advance(2000);
    expect(errors.map(({ error }) => (error as PqError).code)).toEqual(["OUTCOME_UNKNOWN"]);
    expect(failed).toEqual([]);
    t.always("settle", undefined);
    expect((await queue.stats()).counters).toMatchObject({ ack: 1, fail: 0 });
  });

  test("a handler whose own ack is of unknown outcome and throws it is not failed either", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ deadline: 1000 });
    await queue.put(1);
    t.always("settle", silence);
    const worker = queue.work((job) => job.ack());
    worker.on("error", () => undefined);
    await t.clock.advance(1500);
    t.always("settle", undefined);
    await t.clock.advance(1500);
    expect((await queue.stats()).counters.fail).toBe(0);
  });

  test("goes on acking through an outage as long as the lease lasts", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ deadline: 1000, lease: "30s" });
    await queue.put(1);
    t.always("settle", unavailable);
    queue.work(() => undefined);
    await t.clock.advance(5000);
    t.always("settle", undefined);
    await t.clock.advance(1500);
    expect((await queue.stats()).counters).toMatchObject({ ack: 1, leaseExpired: 0 });
  });

  test("pause stops taking and starting, resume goes on", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.payload));
    await t.clock.advance(10);
    worker.pause();
    await queue.put(1);
    await t.clock.advance(10_000);
    expect(seen).toEqual([]);
    expect(worker.state).toBe("paused");
    worker.resume();
    await t.clock.advance(10);
    expect(seen).toEqual([1]);
  });

  test("jobs that find no slot in time are given back", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3]);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened, { prefetch: 2 });
    await t.clock.advance(10);
    expect(worker.buffered).toBe(2);
    await t.clock.advance(1500);
    expect(worker.buffered).toBe(0);
    expect(await queue.stats()).toMatchObject({ ready: 2, leased: 1 });
    await t.clock.advance(60_000);
    // Not taken and given back again and again.
    worker.pause();
    worker.resume();
    await t.clock.advance(10_000);
    expect((await queue.stats()).counters.release).toBe(2);
    gate.open();
    await t.clock.advance(10);
    expect(await queue.size()).toBe(0);
  });

  test("quick handlers get jobs ahead by themselves, slow ones do not", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany(Array.from({ length: 60 }, (_, n) => n));
    queue.work(() => undefined);
    await t.clock.advance(10);
    const limits = t.params<{ limit: number }>("take").map(({ limit }) => limit);
    expect(limits[0]).toBe(1);
    expect(Math.max(...limits)).toBeGreaterThan(20);
    expect(await queue.size()).toBe(0);
  });

  test("takes anew when half of what was taken ahead is left, never more than it may hold", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const gates: Gate[] = [];
    const handler = (): Promise<void> => gates[gates.push(new Gate()) - 1]!.opened;
    const worker = queue.work(handler, { prefetch: 4 });
    const takes = async (): Promise<number[]> => {
      gates.at(-1)?.open();
      await t.clock.advance(10);
      return t.params<{ limit: number }>("take").map(({ limit }) => limit);
    };
    expect(await takes()).toEqual([5]);
    expect(worker.buffered).toBe(4);
    expect(await takes()).toEqual([5]);
    expect(await takes()).toEqual([5, 2]);
    expect(worker.buffered).toBe(4);
    worker.pause();
    gates.at(-1)?.open();
  });

  test("takes at most half of what it may hold at once, and the other half while it works on the first", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany(Array.from({ length: 201 }, (_, n) => n));
    const gate = new Gate();
    const worker = queue.work(() => gate.opened, { prefetch: 200 });
    await t.clock.advance(10);
    expect(t.params<{ limit: number }>("take").map(({ limit }) => limit)).toEqual([101, 100]);
    expect([worker.running, worker.buffered]).toEqual([1, 200]);
    gate.open();
  });

  test("a store that is slow to settle slows the worker down", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany(Array.from({ length: 2000 }, (_, n) => n));
    const gate = new Gate();
    t.always("settle", { type: "hold", gate: gate.opened });
    let handled = 0;
    queue.work(() => void handled++, { concurrency: 10 });
    await t.clock.advance(100);
    expect(handled).toBeGreaterThanOrEqual(36);
    expect(handled).toBeLessThan(600);
    t.always("settle", undefined);
    gate.open();
    await t.clock.advance(100);
    expect(handled).toBe(2000);
    expect(await queue.size()).toBe(0);
  });

  test("errors that nobody listens for become one process warning", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ deadline: 100 });
    const warnings: string[] = [];
    const listen = (warning: Error & { code?: string }): void =>
      void warnings.push(`${warning.code}: ${warning.message}`);
    process.on("warning", listen);
    t.always("take", unavailable);
    queue.work(() => undefined);
    await t.clock.advance(5000);
    await turns();
    process.off("warning", listen);
    expect(warnings).toEqual([
      'PQ_ERROR: a worker of queue "q" goes on after: cut (listen to its "error" events for more)',
    ]);
    t.always("take", undefined);
    await t.clock.advance(5000);
  });

  test("a handler may put into its own queue while the queue closes", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>();
    await queue.put(1);
    const gate = new Gate();
    let added: unknown;
    queue.work(async () => {
      await gate.opened;
      added = (await queue.put(2)).status;
    });
    await t.clock.advance(10);
    const closing = queue.close();
    gate.open();
    await closing;
    expect(added).toBe("added");
    await using again = t.queue<number>();
    expect((await again.take())?.payload).toBe(2);
  });

  test("a listener that throws disturbs nobody", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2]);
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.message);
    process.on("warning", listen);
    const worker = queue.work(() => undefined);
    worker.on("completed", () => {
      throw new Error("listener bug");
    });
    const completed = collect((listener) => worker.on("completed", listener));
    await t.clock.advance(10);
    await turns();
    process.off("warning", listen);
    expect(completed.length).toBe(2);
    expect(warnings[0]).toMatch(/a listener failed: Error: listener bug/);
  });
});

describe("closing a worker", () => {
  test("waits for the handler and reports it as finished", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.put(1);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    await t.clock.advance(10);
    const closing = worker.close();
    expect(await stateOf(closing)).toBe("pending");
    expect(worker.state).toBe("closing");
    gate.open();
    expect(await closing).toEqual({ finished: 1, returned: 0, abandoned: 0 });
    expect(await worker.close()).toEqual({ finished: 1, returned: 0, abandoned: 0 });
    expect(await queue.size()).toBe(0);
    expect(worker.state).toBe("closed");
  });

  test("is bounded with a hung handler: its signal aborts, it is abandoned", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 1000 });
    await queue.put(1);
    let reason: unknown;
    const worker = queue.work((job) => {
      job.signal.addEventListener("abort", () => {
        reason = job.signal.reason;
      });
      return new Promise(() => undefined);
    });
    await t.clock.advance(10);
    const closing = worker.close({ timeout: "2s" });
    await t.clock.advance(1999);
    expect(await stateOf(closing)).toBe("pending");
    await t.clock.advance(1);
    expect(await closing).toEqual({ finished: 0, returned: 0, abandoned: 1 });
    expect(reason).toMatchObject({ code: "CLOSED" });
    // No longer renewed: somebody else gets it.
    await t.clock.advance(1001);
    expect((await queue.take())?.attempt).toBe(2);
  });

  test("is bounded with a dead store", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>();
    await queue.putMany([1, 2, 3]);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened, { prefetch: 2 });
    worker.on("error", () => undefined);
    await t.clock.advance(10);
    for (const method of ["settle", "touch", "take", "wait"] as const) t.always(method, silence);
    const closing = worker.close({ timeout: "3s" });
    gate.open();
    await t.clock.advance(3000);
    expect(await closing).toEqual({ finished: 0, returned: 0, abandoned: 3 });
  });

  test("gives a full buffer back", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.putMany([1, 2, 3, 4]);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened, { prefetch: 3 });
    await t.clock.advance(10);
    expect(worker.buffered).toBe(3);
    const closing = worker.close();
    await t.clock.advance(1);
    gate.open();
    expect(await closing).toEqual({ finished: 1, returned: 3, abandoned: 0 });
    expect(await queue.stats()).toMatchObject({ ready: 3, leased: 0 });
    expect((await queue.take())?.attempt).toBe(1);
  });

  test("jobs of a take under way go back", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.put(1);
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    const worker = queue.work(() => undefined);
    await t.clock.advance(10);
    expect(await worker.close()).toEqual({ finished: 0, returned: 0, abandoned: 0 });
    expect((await queue.stats()).leased).toBe(1);
    gate.open();
    await turns();
    expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0 });
  });

  test("closing the queue closes its workers first, and lets their settlements through", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>();
    await queue.put(1);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    await t.clock.advance(10);
    const closing = queue.close();
    gate.open();
    await closing;
    expect(worker.state).toBe("closed");
    expect(t.count("settle")).toBe(1);
    expect(t.count("close")).toBe(1);
    expect(t.clock.timers).toBe(0);
  });

  test("a timeout of 0 waits for nothing", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.put(1);
    const worker = queue.work(() => new Promise(() => undefined));
    await t.clock.advance(10);
    const closing = worker.close({ timeout: 0 });
    await t.clock.advance(0);
    expect(await closing).toEqual({ finished: 0, returned: 0, abandoned: 1 });
  });

  test("a signal closes it", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const controller = new AbortController();
    const worker = queue.work(() => undefined, { signal: controller.signal });
    controller.abort();
    await turns();
    expect(worker.state).toBe("closed");
  });
});

describe("health", () => {
  test("is well while a job put now would be taken", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const worker = queue.work(() => undefined);
    await t.clock.advance(10);
    expect(await worker.health()).toMatchObject({ ok: true, running: 0 });
  });

  test("says when the worker or the queue is paused, or it is closed", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const worker = queue.work(() => undefined);
    worker.pause();
    expect(await worker.health()).toMatchObject({ ok: false, reason: "the worker is paused" });
    worker.resume();
    await queue.pause();
    expect(await worker.health()).toMatchObject({ ok: false, reason: "the queue is paused" });
    await worker.close();
    expect(await worker.health()).toMatchObject({ ok: false, reason: "the worker is closed" });
  });

  test("says when the store does not answer, and when takes fail", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ deadline: 1000 });
    const worker = queue.work(() => undefined);
    worker.on("error", () => undefined);
    await t.clock.advance(10);
    t.always("stats", silence);
    const health = worker.health();
    await t.clock.advance(1000);
    expect((await health).reason).toMatch(/the store does not answer/);
    t.always("stats", undefined);
    t.always("take", unavailable);
    await t.clock.advance(8000);
    expect((await worker.health()).reason).toMatch(/the last \d+ takes failed/);
    t.always("take", undefined);
    await t.clock.advance(8000);
    expect((await worker.health()).ok).toBe(true);
  });

  test("says when all slots have been taken for longer than a lease", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ lease: 1000 });
    await queue.put(1);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    await t.clock.advance(500);
    expect((await worker.health()).ok).toBe(true);
    await t.clock.advance(1000);
    expect((await worker.health()).reason).toMatch(/all 1 slots have been taken for/);
    gate.open();
    await turns();
    expect((await worker.health()).ok).toBe(true);
  });
});
