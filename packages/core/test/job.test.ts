import { describe, expect, test } from "vitest";
import type { SettleParams, TouchParams } from "../src/backend.ts";
import { fixed, Job, UnrecoverableError } from "../src/index.ts";
import { LeaseKeeper } from "../src/lease-keeper.ts";
import { errorOf, Gate, lost, silence, stateOf, TestBackend, turns, unavailable } from "./support.ts";

async function taken(
  t: TestBackend,
  options: Parameters<ReturnType<TestBackend["queue"]>["put"]>[1] = {},
  queue = t.queue({ lease: 3000 }),
) {
  const { id } = await queue.put("work", options);
  const job = await queue.take();
  if (job === null) throw new Error("there is no job");
  return { queue, job, id };
}

describe("job", () => {
  test("shows what was put", async () => {
    const t = new TestBackend();
    const { job, id } = await taken(t, { priority: 3, key: "k", group: "g", maxAttempts: Infinity, lease: "7s" });
    expect(job).toBeInstanceOf(Job);
    expect(job).toMatchObject({
      id,
      payload: "work",
      priority: 3,
      key: "k",
      group: "g",
      attempt: 1,
      maxAttempts: Infinity,
      leaseDuration: 7000,
    });
    expect(job).toMatchObject({ createdAt: t.clock.now(), lastError: null, lastProgress: null, settled: false });
    expect(job.fence).toBeGreaterThan(0);
  });

  test.each([
    ["ack", (job: Job) => job.ack(), { ready: 0, counters: { ack: 1 } }],
    ["release", (job: Job) => job.release(), { ready: 1, counters: { release: 1 } }],
    ["release later", (job: Job) => job.release({ delay: "1m" }), { ready: 0, delayed: 1, counters: { release: 1 } }],
    ["requeue", (job: Job) => job.requeue(), { ready: 1, counters: { requeue: 1 } }],
    ["fail", (job: Job) => job.fail(new Error("x")), { delayed: 1, counters: { fail: 1 } }],
    ["fail at once", (job: Job) => job.fail("x", { delay: 0 }), { ready: 1, counters: { fail: 1 } }],
    ["fail for good", (job: Job) => job.fail(new UnrecoverableError("x")), { buried: 1, counters: { bury: 1 } }],
    ["bury", (job: Job) => job.bury(), { buried: 1, counters: { bury: 1 } }],
  ])("%s", async (_name, settle, expected) => {
    const t = new TestBackend();
    const { queue, job } = await taken(t, { backoff: fixed("5s") });
    await settle(job);
    expect(await queue.stats()).toMatchObject({ leased: 0, ...expected });
    expect(job.settled).toBe(true);
    expect(job.holdsLease()).toBe(false);
  });

  test("fail by the job's backoff comes back then", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t, { backoff: fixed("5s") });
    await job.fail(new Error("x"));
    await t.clock.advance(4999);
    expect(await queue.take()).toBeNull();
    await t.clock.advance(1);
    const again = await queue.take();
    expect(again).toMatchObject({ attempt: 2 });
    expect(again?.lastError).toMatch(/^Error: x\n/);
  });

  test("settling twice is INVALID_STATE, says what was done before, and sends nothing", async () => {
    const t = new TestBackend();
    const { job } = await taken(t);
    const first = job.ack();
    const error = await errorOf(job.fail(new Error("x")));
    expect(error).toMatchObject({ code: "INVALID_STATE" });
    expect(error.message).toMatch(/cannot fail, ack was called before/);
    await first;
    expect(await errorOf(job.touch())).toMatchObject({ code: "INVALID_STATE" });
    expect(t.params<SettleParams>("settle").flatMap(({ items }) => items)).toHaveLength(1);
  });

  test("settling after the lease is LEASE_LOST", async () => {
    const t = new TestBackend();
    const { job } = await taken(t);
    await t.clock.advance(3000);
    expect(job.holdsLease()).toBe(false);
    expect(await errorOf(job.ack())).toMatchObject({ code: "LEASE_LOST" });
    expect(job.settled).toBe(true);
    expect(job.signal.aborted).toBe(true);
  });

  test("a settlement that was not applied may be tried again", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t, {}, t.queue({ lease: "1h", deadline: 1000 }));
    t.always("settle", unavailable);
    const ack = errorOf(job.ack());
    await t.clock.advance(1000);
    expect(await ack).toMatchObject({ code: "UNAVAILABLE" });
    expect(job.settled).toBe(false);
    t.always("settle", undefined);
    await job.ack();
    expect(await queue.size()).toBe(0);
  });

  test("a settlement whose reply was lost is applied once", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    t.next("settle", lost);
    const ack = job.ack();
    await t.clock.advance(100);
    await ack;
    expect((await queue.stats()).counters.ack).toBe(1);
  });

  test("concurrent settlements are one call, each with its own result", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000 });
    await queue.putMany([1, 2, 3]);
    const jobs = await queue.takeMany(3);
    await queue.delete(jobs[1]?.id ?? "");
    const results = await Promise.allSettled(jobs.map((job) => job.ack()));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(t.count("settle")).toBe(1);
  });

  test("the local end of the lease is counted from the start of the take", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000 });
    await queue.put(1);
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    const take = queue.take();
    await t.clock.advance(1000);
    gate.open();
    const job = await take;
    await t.clock.advance(1999);
    expect(job?.holdsLease()).toBe(true);
    await t.clock.advance(1);
    expect(job?.holdsLease()).toBe(false);
  });

  test("touch extends the lease, from the start of the touch, and never shortens it", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    await t.clock.advance(2000);
    await job.touch("10s");
    await job.touch(1);
    await t.clock.advance(9999);
    expect(job.holdsLease()).toBe(true);
    expect((await queue.stats()).leased).toBe(1);
    await t.clock.advance(1);
    expect(job.holdsLease()).toBe(false);
    expect(await errorOf(job.touch())).toMatchObject({ code: "LEASE_LOST" });
  });

  test("progress is there for the next holder, and extends the lease", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    await t.clock.advance(2000);
    await job.progress({ rows: 7 });
    await t.clock.advance(2000);
    await job.release();
    expect((await queue.take())?.lastProgress).toEqual({ rows: 7 });
  });

  test("results are sent only for jobs that keep them", async () => {
    const t = new TestBackend();
    const kept = await taken(t, { keepResult: "1m" });
    await kept.job.ack({ a: 1 });
    const dropped = await taken(t);
    await dropped.job.ack({ a: 1 });
    const items = t.params<SettleParams>("settle").flatMap(({ items }) => items);
    expect(items.map((item) => item.type === "ack" && item.result !== null)).toEqual([true, false]);
  });

  test("a bad argument is found before anything is sent, and leaves the job as it was", async () => {
    const t = new TestBackend();
    const { job } = await taken(t, { keepResult: "1m" });
    expect(await errorOf(job.release({ delay: -1 }))).toBeInstanceOf(RangeError);
    expect(await errorOf(job.touch(0))).toBeInstanceOf(RangeError);
    expect(await errorOf(job.ack(() => 1))).toMatchObject({ code: "INVALID_PAYLOAD" });
    await job.ack("fine");
    expect(job.settled).toBe(true);
  });

  test("lastError is bounded, in well-formed UTF-8", async () => {
    const t = new TestBackend();
    const { queue, job, id } = await taken(t, { maxAttempts: 1 });
    await job.fail(`\ud800${"é".repeat(5000)}`);
    const { lastError } = (await queue.peek(id)) ?? {};
    expect(Buffer.byteLength(lastError ?? "")).toBeLessThanOrEqual(4096);
    expect(lastError).toMatch(/^\ufffdé+…$/);
  });

  test("fail takes whatever was thrown", async () => {
    const thrown = [undefined, null, 0, "text", { a: 1 }, Symbol("s"), Object.create(null), { get stack(): string { throw new Error("no"); } }]; // prettier-ignore
    const t = new TestBackend();
    for (const error of thrown) {
      const { queue, job, id } = await taken(t, { maxAttempts: 1 });
      await job.fail(error);
      expect(typeof (await queue.peek(id))?.lastError).toBe("string");
    }
  });

  test("disposed unsettled, it is released", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    {
      await using _ = job;
    }
    expect(await queue.stats()).toMatchObject({ ready: 1, counters: { release: 1 } });
  });

  test("disposed settled, nothing happens; a release that fails is an event", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    await job.ack();
    await job[Symbol.asyncDispose]();
    expect(t.count("settle")).toBe(1);
    const other = await taken(t, {}, queue);
    const errors: unknown[] = [];
    queue.on("error", ({ error, jobId }) => errors.push([(error as Error).message, jobId]));
    await queue.truncate();
    await other.job[Symbol.asyncDispose]();
    expect(errors).toEqual([[expect.stringContaining("was lost"), other.id]]);
  });
});

describe("job.run", () => {
  test("acks with what the function returns", async () => {
    const t = new TestBackend();
    const { queue, job, id } = await taken(t, { keepResult: "1m" });
    expect(await job.run(async () => 42)).toBe(42);
    expect(await queue.result(id)).toBe(42);
  });

  test("fails with what it throws, and throws it", async () => {
    const t = new TestBackend();
    const { queue, job, id } = await taken(t, { maxAttempts: 1 });
    expect((await errorOf(job.run(() => Promise.reject(new Error("boom"))))).message).toBe("boom");
    expect((await queue.peek(id))?.state).toBe("buried");
  });

  test("keeps the lease alive, and aborts the signal when it is lost", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    const run = errorOf(
      job.run(
        ({ signal }) =>
          new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      ),
    );
    await t.clock.advance(20_000);
    expect(job.holdsLease()).toBe(true);
    await queue.delete(job.id);
    await t.clock.advance(1000);
    expect(await run).toMatchObject({ code: "LEASE_LOST" });
    expect(t.clock.timers).toBe(0);
  });

  test("an ack that fails is thrown, the job is not failed", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t);
    await queue.truncate();
    expect(await errorOf(job.run(() => 1))).toMatchObject({ code: "LEASE_LOST" });
    expect(t.params<SettleParams>("settle").flatMap(({ items }) => items.map(({ type }) => type))).toEqual(["ack"]);
  });
});

describe("lease keeper", () => {
  test("one timer for all leases, one touch per queue and beat, none when nothing is kept", async () => {
    const t = new TestBackend();
    const [a, b] = [t.queue<number>({ lease: 3000 }, "a"), t.queue<number>({ lease: 3000 }, "b")];
    await Promise.all([a.putMany([1, 2, 3, 4, 5]), b.putMany([1, 2, 3])]);
    const gate = new Gate();
    const workers = [a.work(() => gate.opened, { concurrency: 5 }), b.work(() => gate.opened, { concurrency: 3 })];
    await t.clock.advance(900);
    expect(t.count("touch")).toBe(0);
    // The keeper's; no slot is free, so nobody waits for jobs.
    expect(t.clock.timers).toBe(1);
    await t.clock.advance(150);
    expect(t.params<TouchParams>("touch").map(({ queue, items }) => [queue, items.length])).toEqual([
      ["a", 5],
      ["b", 3],
    ]);
    await t.clock.advance(1000);
    expect(t.count("touch")).toBe(4);
    const closing = Promise.all(workers.map((worker) => worker.close()));
    gate.open();
    await closing;
    expect(t.clock.timers).toBe(0);
  });

  test("leases that are due soon go along with those that are due", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000 });
    const gate = new Gate();
    queue.work(() => gate.opened, { concurrency: 2 });
    await queue.put(1);
    await t.clock.advance(300);
    await queue.put(2);
    await t.clock.advance(10_000);
    // Both in one call at each of the beats.
    expect(t.count("touch")).toBeLessThanOrEqual(11);
    expect((await queue.stats()).counters.leaseExpired).toBe(0);
  });

  test("a renewal without an answer is no reason to give the job up before the lease ends", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000, attemptTimeout: 500 });
    await queue.put(1);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    const losses: unknown[] = [];
    worker.on("lost", ({ reason }) => losses.push(reason));
    t.next("touch", silence, silence);
    await t.clock.advance(20_000);
    expect(losses).toEqual([]);
    expect((await queue.stats()).counters.leaseExpired).toBe(0);
    gate.open();
    await turns();
    await queue.close();
  });

  test("a renewal whose answer is lost is repeated before a short lease is over", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000 });
    await queue.put(1);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    const losses: unknown[] = [];
    worker.on("lost", ({ reason }) => losses.push(reason));
    t.next("touch", silence);
    await t.clock.advance(10_000);
    expect(losses).toEqual([]);
    gate.open();
    await turns();
    await queue.close();
  });

  /** The manual clock, with a jump that no timer notices before it is over: as when a handler computes. */
  function block(t: TestBackend, ms: number): void {
    const monotonic = t.clock.monotonic.bind(t.clock);
    const now = t.clock.now.bind(t.clock);
    t.clock.monotonic = () => monotonic() + ms;
    t.clock.now = () => now() + ms;
  }

  test("tells a blocked event loop, and that it cost the lease", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000 });
    await queue.put(1, { maxAttempts: 1 });
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    const heard: unknown[] = [];
    worker.on("blocked", ({ ms }) => heard.push(ms));
    worker.on("lost", ({ reason }) => heard.push(reason));
    await t.clock.advance(500);
    block(t, 5000);
    await t.clock.advance(500);
    expect(heard).toEqual([5000, "event-loop-blocked"]);
    gate.open();
    await turns();
  });

  test("a block that costs no lease is told, and nothing is lost", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 9000 });
    await queue.put(1);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    const heard: unknown[] = [];
    worker.on("blocked", ({ ms }) => heard.push(ms));
    worker.on("lost", ({ reason }) => heard.push(reason));
    await t.clock.advance(2900);
    block(t, 2000);
    await t.clock.advance(20_000);
    expect(heard).toEqual([2000]);
    gate.open();
    await turns();
  });

  test("a lease that was over before the event loop was blocked is not blamed on that", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000, deadline: 100 });
    await queue.put(1, { maxAttempts: 1 });
    t.always("touch", unavailable);
    const gate = new Gate();
    const worker = queue.work(() => gate.opened);
    const losses: unknown[] = [];
    worker.on("lost", ({ reason }) => losses.push(reason));
    await t.clock.advance(2950);
    block(t, 4000);
    await t.clock.advance(500);
    expect(losses).toEqual(["expired"]);
    gate.open();
    await turns();
  });

  test("renewals that fail are repeated with pauses", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000, deadline: 100 });
    await queue.put(1, { maxAttempts: 1 });
    t.always("touch", unavailable);
    const gate = new Gate();
    queue.work(() => gate.opened);
    await t.clock.advance(3000);
    const requests = new Set(t.params<TouchParams>("touch").map(({ request }) => request));
    expect(requests.size).toBeGreaterThan(3);
    expect(requests.size).toBeLessThan(9);
    gate.open();
    await turns();
  });

  test("a lease whose settlement failed is renewed again", async () => {
    const t = new TestBackend();
    const { queue, job } = await taken(t, {}, t.queue({ lease: 3000, deadline: 500 }));
    const gate = new Gate();
    const begin = new Gate();
    const run = job.run(async () => {
      await begin.opened;
      expect(await errorOf(job.ack())).toMatchObject({ code: "UNAVAILABLE" });
      await gate.opened;
    });
    await t.clock.advance(900);
    t.always("settle", unavailable);
    begin.open();
    await t.clock.advance(600);
    t.always("settle", undefined);
    await t.clock.advance(20_000);
    expect(job.holdsLease()).toBe(true);
    gate.open();
    await run;
    expect(await queue.size()).toBe(0);
  });

  test("a settlement under way is neither renewed nor called lost", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>({ lease: 3000 });
    await queue.put(1);
    t.next("settle", silence);
    const worker = queue.work(() => undefined);
    const losses: unknown[] = [];
    worker.on("lost", ({ reason }) => losses.push(reason));
    worker.on("error", () => undefined);
    await t.clock.advance(2000);
    expect(t.count("touch")).toBe(0);
    expect(losses).toEqual([]);
    expect(await stateOf(worker.health())).toBe("resolved");
  });

  test("there is one for each clock", () => {
    const t = new TestBackend();
    expect(LeaseKeeper.of(t.clock)).toBe(LeaseKeeper.of(t.clock));
  });
});
