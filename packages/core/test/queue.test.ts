import { tracingChannel } from "node:diagnostics_channel";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { PutParams } from "../src/backend.ts";
import { defineCapabilities } from "../src/capabilities.ts";
import { newJobId } from "../src/id.ts";
import { type Job, Queue, type StandardSchemaV1 } from "../src/index.ts";
import { memory } from "../src/testing/index.ts";
import { errorOf, lost, stateOf, TestBackend, turns } from "./support.ts";

/** The job that the last put sent. */
function sent(t: TestBackend) {
  return t.params<PutParams>("put").at(-1)?.jobs[0];
}

describe("put", () => {
  test("fills in the defaults", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const { id, status } = await queue.put({ a: 1 });
    expect(status).toBe("added");
    expect(sent(t)).toEqual({
      id,
      payload: Buffer.from('{"a":1}'),
      priority: 0,
      urgent: false,
      due: null,
      ttl: null,
      lease: null,
      key: null,
      group: null,
      maxAttempts: 3,
      keepResult: null,
      headers: "",
    });
  });

  test("resolves options, which go before the queue's defaults", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ defaults: { priority: 5, ttl: "1h", maxAttempts: 9 } });
    await queue.put(1, {
      priority: -1,
      delay: "5s",
      lease: "1m",
      key: "k",
      group: "g",
      maxAttempts: Infinity,
      keepResult: "1d",
      ttl: undefined as never,
    });
    expect(sent(t)).toMatchObject({
      priority: -1, due: { in: 5000 }, ttl: 3_600_000, lease: 60_000, key: "k", group: "g", maxAttempts: 2 ** 31 - 1, keepResult: 86_400_000,
    }); // prettier-ignore
    await queue.put(1, { at: new Date(4e12), ttl: null });
    expect(sent(t)).toMatchObject({ priority: 5, due: { at: 4e12 }, ttl: null, maxAttempts: 9 });
    await queue.put(1, { delay: 0 });
    expect(sent(t)).toMatchObject({ due: null });
  });

  test.each([
    [{ priority: 2 ** 31 }, RangeError],
    [{ priority: -(2 ** 31) - 1 }, RangeError],
    [{ priority: 0.5 }, RangeError],
    [{ priority: "1" }, TypeError],
    [{ delay: -1 }, RangeError],
    [{ delay: "soon" }, TypeError],
    [{ delay: 1, at: 5 }, TypeError],
    [{ at: "2030-01-01" }, TypeError],
    [{ at: new Date(Number.NaN) }, RangeError],
    [{ at: -1 }, RangeError],
    [{ ttl: 0 }, RangeError],
    [{ lease: 0 }, RangeError],
    [{ lease: Infinity }, RangeError],
    [{ key: "" }, RangeError],
    [{ key: "\ud800" }, TypeError],
    [{ group: "x".repeat(256) }, RangeError],
    [{ maxAttempts: 0 }, RangeError],
    [{ maxAttempts: 1.5 }, RangeError],
    [{ backoff: { type: "never" } }, TypeError],
    [{ backoff: () => 5 }, TypeError],
    [{ keepResult: 0 }, RangeError],
    [{ timeout: -1 }, RangeError],
    [{ id: "not-a-uuid" }, TypeError],
    [{ signal: {} }, TypeError],
    ["fast", TypeError],
    [null, TypeError],
    [{ dealy: "5s" }, TypeError],
  ])("refuses %j before anything is sent", async (options, type) => {
    const t = new TestBackend();
    await using queue = t.queue();
    expect(await errorOf(queue.put(1, options as never))).toBeInstanceOf(type);
    expect(await errorOf(queue.putMany([1, 2], options as never))).toBeInstanceOf(type);
    expect(t.calls).toEqual([]);
  });

  test.each([{ delay: 5 }, { at: 5 }, { priority: 1 }])("urgent excludes %j", async (options) => {
    const t = new TestBackend();
    await using queue = t.queue({ defaults: { priority: 7 } });
    expect(await errorOf(queue.urgent(1, options as never))).toBeInstanceOf(TypeError);
    await queue.urgent(1);
    expect(sent(t)).toMatchObject({ urgent: true, priority: 0, due: null });
  });

  test("a payload that is too large names limit and size", async () => {
    const t = new TestBackend();
    await using queue = t.queue<string>();
    const error = await errorOf(queue.put("x".repeat(1024 * 1024)));
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(error.message).toBe(
      "the payload: 1048578 bytes are more than maxPayload of the test backend: 1048576 bytes. Keep them elsewhere and store where they are.",
    );
    expect(t.calls).toEqual([]);
  });

  test("putMany over the limits of one step is refused before anything is written", async () => {
    const capabilities = defineCapabilities({ maxBatch: 3, maxBatchBytes: 20, maxPayload: 15 });
    const t = new TestBackend();
    await using queue = new Queue("q", { backend: { ...t.backend, capabilities }, clock: t.clock });
    expect((await errorOf(queue.putMany([1, 2, 3, 4]))).message).toMatch(/4 jobs are more than maxBatch.*: 3/);
    expect((await errorOf(queue.putMany(["0123456789", "0123456789"]))).message).toMatch(
      /24 bytes are more than maxBatchBytes/,
    );
    expect(await errorOf(queue.putMany([1, "0123456789abcdef"]))).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(t.calls).toEqual([]);
    // Single puts that come together are cut into calls that fit.
    await Promise.all([1, 2, 3, 4].map((n) => queue.put(n)));
    expect(t.count("put")).toBe(2);
  });

  test("putMany: options for all or for each, and nothing for nothing", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    expect(await queue.putMany([])).toEqual([]);
    expect(t.calls).toEqual([]);
    await queue.putMany([1, 2], { priority: 4 });
    const results = await queue.putMany([3, 4], (n, index) => ({ priority: -n, key: `k${index % 1}` }));
    expect(results.map(({ status }) => status)).toEqual(["added", "duplicate"]);
    expect(results[1]?.id).toBe(results[0]?.id);
    expect((await queue.takeMany(9)).map(({ payload }) => payload)).toEqual([3, 1, 2]);
    expect(await errorOf(queue.putMany([1, 2], { id: newJobId() }))).toBeInstanceOf(TypeError);
    expect(await errorOf(queue.putMany("ab" as never))).toBeInstanceOf(TypeError);
  });

  test("a key that is held answers duplicate with the holder's id", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const first = await queue.put(1, { key: "k" });
    expect(await queue.put(2, { key: "k" })).toEqual({ id: first.id, status: "duplicate" });
  });

  test("waits for room, looking again after 10 ms doubling to 1 s", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ maxSize: 1 });
    await queue.put(1);
    const put = queue.put(2, { timeout: "1m" });
    await t.clock.advance(10_000);
    expect(await stateOf(put)).toBe("pending");
    expect(t.count("put")).toBeLessThan(22);
    await (await queue.take())?.ack();
    await t.clock.advance(1000);
    expect((await put).status).toBe("added");
  });

  test("QUEUE_FULL at once without a timeout, and when it is over; nothing was stored", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ maxSize: 2, defaults: { timeout: "5s" } });
    await queue.put(1);
    expect(await errorOf(queue.putMany([1, 2], { timeout: 0 }))).toMatchObject({ code: "QUEUE_FULL", retryable: true });
    const late = errorOf(queue.putMany([1, 2]));
    await t.clock.advance(5000);
    expect(await late).toMatchObject({ code: "QUEUE_FULL" });
    expect(await queue.size()).toBe(1);
  });

  test("putMany of more than maxSize does not wait for room that can never be", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ maxSize: 2 });
    expect(await errorOf(queue.putMany([1, 2, 3], { timeout: "1m" }))).toMatchObject({ code: "QUEUE_FULL" });
    expect(await queue.size()).toBe(0);
  });

  test("a signal ends the wait for room", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ maxSize: 1 });
    await queue.put(1);
    const controller = new AbortController();
    const put = errorOf(queue.put(2, { timeout: "1m", signal: controller.signal }));
    await t.clock.advance(100);
    controller.abort(new Error("enough"));
    expect((await put).message).toBe("enough");
    await turns();
    expect(t.clock.timers).toBe(0);
    expect((await errorOf(queue.put(2, { signal: AbortSignal.abort(new Error("before")) }))).message).toBe("before");
  });

  test("closing ends the wait for room", async () => {
    const t = new TestBackend();
    const queue = t.queue({ maxSize: 1 });
    await queue.put(1);
    const put = errorOf(queue.put(2, { timeout: "1m" }));
    await t.clock.advance(100);
    await queue.close();
    expect(await put).toMatchObject({ code: "CLOSED" });
  });
});

describe("a misspelt option", () => {
  const t = new TestBackend();
  const queue = t.queue();
  test.each<[string, () => unknown]>([
    ["put", () => queue.put(1, { dealy: "5s" } as never)],
    ["take", () => queue.take({ wiat: true } as never)],
    ["list", () => queue.list({ state: "ready", limt: 1 } as never)],
    ["work", () => queue.work(() => 1, { concurency: 2 } as never)],
    ["consume", () => queue.consume({ prefech: 1 } as never)],
    ["new Queue", () => new Queue("q", { backend: memory(), leese: "1s" } as never)],
    ["defaults", () => new Queue("q", { backend: memory(), defaults: { key: "k" } } as never)],
  ])("is refused by %s, with the names there are", async (_, call) => {
    const error = await errorOf(Promise.resolve().then(call));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/must not have ".+"; there are .+, .+/);
  });

  test("is refused where a job is given back, and the job is still held", async () => {
    await queue.put(1);
    const job = await queue.take();
    if (job === null) throw new Error("no job");
    expect(await errorOf(job.release({ dealy: 5 } as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(job.fail("no", { dealy: 5 } as never))).toBeInstanceOf(TypeError);
    await job.ack();
  });
});

describe("options of a queue", () => {
  test.each([
    [{ backend: {} }, TypeError],
    [{ codec: {} }, TypeError],
    [{ codec: null }, TypeError],
    [{ schema: {} }, TypeError],
    [{ lease: 0 }, RangeError],
    [{ lease: "x" }, TypeError],
    [{ maxSize: 0 }, RangeError],
    [{ maxSize: 1.5 }, RangeError],
    [{ requires: "gold" }, RangeError],
    [{ deadline: 0 }, RangeError],
    [{ attemptTimeout: -1 }, RangeError],
    [{ defaults: { priority: Number.NaN } }, RangeError],
    [{ defaults: { ttl: 0 } }, RangeError],
    [{ defaults: { backoff: {} } }, TypeError],
    [{ defaults: 5 }, TypeError],
  ])("refuses %j", (options, type) => {
    expect(() => new Queue("q", { backend: memory(), ...(options as object) })).toThrow(type);
  });

  test("refuses a name or options that are none", () => {
    for (const name of ["", "x".repeat(256), "\udc00", undefined]) {
      expect(() => new Queue(name as never, { backend: memory() })).toThrow(/name/);
    }
    expect(() => new Queue("q", undefined as never)).toThrow(TypeError);
  });

  test("what the store cannot do is UNSUPPORTED: at construction where possible", async () => {
    const capabilities = defineCapabilities({ keys: false, groups: false, results: false, capacity: false });
    const backend = { ...new TestBackend().backend, name: "poor", capabilities };
    const unsupported = expect.objectContaining({ code: "UNSUPPORTED" }) as Error;
    expect(() => new Queue("q", { backend, maxSize: 5 })).toThrow(unsupported);
    expect(() => new Queue("q", { backend, defaults: { keepResult: "1m" } })).toThrow(unsupported);
    const queue = new Queue("q", { backend });
    for (const options of [{ key: "k" }, { group: "g" }, { keepResult: 5 }]) {
      expect(await errorOf(queue.put(1, options))).toMatchObject({ code: "UNSUPPORTED" });
    }
  });

  test.each([
    { wait: -1 },
    { wait: "x" },
    { wait: Infinity },
    { wait: null },
    { lease: 0 },
    { lease: -5 },
    { signal: 5 },
    7,
  ])("take refuses %j", async (options) => {
    const t = new TestBackend();
    await using queue = t.queue();
    const error = await errorOf(queue.take(options as never));
    expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
    expect(t.calls).toEqual([]);
  });

  test("work refuses wrong options", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    expect(() => queue.work("x" as never)).toThrow(TypeError);
    for (const options of [
      { concurrency: 0 },
      { concurrency: 1.5 },
      { prefetch: -1 },
      { timeout: 0 },
      { lease: 0 },
      { backoff: {} },
      { signal: 1 },
      5,
    ]) {
      expect(() => queue.work(() => undefined, options as never)).toThrow();
    }
  });

  test("types follow the payload and the schema", () => {
    const schema = {} as StandardSchemaV1<string, number>;
    type Made = ReturnType<() => Queue<string, number>>;
    const make = (): Queue<string, number> => new Queue("q", { backend: memory(), schema });
    expectTypeOf(make).returns.toEqualTypeOf<Made>();
    expectTypeOf<Awaited<ReturnType<Made["take"]>>>().toEqualTypeOf<Job<number> | null>();
    expectTypeOf<Parameters<Made["put"]>[0]>().toEqualTypeOf<string>();
  });
});

describe("operators", () => {
  test("peek, list in pages, delete", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const ids = (await queue.putMany([1, 2, 3, 4, 5])).map(({ id }) => id);
    expect(await queue.peek(ids[2] ?? "")).toMatchObject({
      id: ids[2],
      state: "ready",
      payload: 3,
      attempt: 0,
      maxAttempts: 3,
      progress: null,
      result: null,
    });
    expect(await queue.peek(newJobId())).toBeNull();
    const first = await queue.list({ state: "ready", limit: 3 });
    expect(first.jobs.map(({ payload }) => payload)).toEqual([1, 2, 3]);
    const second = await queue.list({ state: "ready", limit: 3, cursor: first.cursor });
    expect(second.jobs.map(({ payload }) => payload)).toEqual([4, 5]);
    expect(second.cursor).toBeNull();
    expect(await queue.delete(ids[0] ?? "")).toBe(true);
    expect(await queue.delete(ids[0] ?? "")).toBe(false);
    expect(await queue.truncate()).toBe(4);
  });

  test("wrong arguments", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    expect(await errorOf(queue.peek("x"))).toBeInstanceOf(TypeError);
    expect(await errorOf(queue.delete(5 as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(queue.list({ state: "lost" as never }))).toBeInstanceOf(RangeError);
    expect(await errorOf(queue.list({ state: "ready", limit: 0 }))).toBeInstanceOf(RangeError);
    expect(await errorOf(queue.list(undefined as never))).toBeInstanceOf(TypeError);
    expect(await errorOf(queue.kick(0))).toBeInstanceOf(RangeError);
    expect(await errorOf(queue.takeMany(0))).toBeInstanceOf(RangeError);
    expect(await errorOf(queue.join({ timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(t.calls).toEqual([]);
  });

  test("dig and kick", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1);
    expect(await errorOf(queue.dig(id))).toMatchObject({ code: "INVALID_STATE" });
    expect(await errorOf(queue.dig(newJobId()))).toMatchObject({ code: "NOT_FOUND" });
    await (await queue.take())?.bury();
    await queue.dig(id);
    await (await queue.take())?.bury();
    t.next("control", lost);
    const kick = queue.kick(5);
    await t.clock.advance(100);
    expect(await kick).toBe(1);
  });

  test("a paused queue takes jobs in and gives none out", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.pause();
    await queue.put(1);
    const take = queue.take({ wait: true });
    await t.clock.advance(10_000);
    expect(await stateOf(take)).toBe("pending");
    await queue.resume();
    expect((await take)?.payload).toBe(1);
  });

  test("join resolves when nothing is ready, delayed or leased", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.join();
    await queue.put(1, { delay: "5s" });
    const joined = queue.join();
    expect((await errorOf(queue.join({ timeout: 0 }))).name).toBe("TimeoutError");
    await t.clock.advance(5000);
    const job = await queue.take();
    await t.clock.advance(5000);
    expect(await stateOf(joined)).toBe("pending");
    await job?.bury();
    await t.clock.advance(1000);
    await joined;
  });

  test("join ends by its signal", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.put(1);
    const controller = new AbortController();
    const joined = errorOf(queue.join({ signal: controller.signal }));
    await t.clock.advance(100);
    controller.abort(new Error("enough"));
    expect((await joined).message).toBe("enough");
  });

  test("result waits for the ack", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1, { keepResult: "1h" });
    expect(await errorOf(queue.result(id))).toMatchObject({ code: "INVALID_STATE" });
    const late = errorOf(queue.result(id, { wait: "2s" }));
    await t.clock.advance(2000);
    expect((await late).message).toMatch(/is ready, not done/);
    const result = queue.result<{ ok: boolean }>(id, { wait: true });
    await (await queue.take())?.ack({ ok: true });
    await t.clock.advance(1000);
    expect(await result).toEqual({ ok: true });
    await t.clock.advance(3_600_000);
    expect(await errorOf(queue.result(id))).toMatchObject({ code: "NOT_FOUND" });
  });

  test("result of a job without one, and of a buried one", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const { id } = await queue.put(1, { keepResult: "1h" });
    await (await queue.take())?.ack();
    expect(await queue.result(id)).toBeUndefined();
    const other = await queue.put(1);
    const result = errorOf(queue.result(other.id, { wait: true }));
    await (await queue.take())?.bury("no good");
    await t.clock.advance(1000);
    const error = await result;
    expect(error).toMatchObject({ code: "INVALID_STATE" });
    expect(error.message).toMatch(/is buried: no good/);
  });

  test("truncate: holders learn LEASE_LOST", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.put(1);
    const job = await queue.take();
    await queue.truncate();
    expect(await errorOf(job?.ack() ?? Promise.resolve())).toMatchObject({ code: "LEASE_LOST" });
  });
});

describe("tracing", () => {
  test("channels carry each call of the store, and the handler", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const heard: unknown[] = [];
    const names = ["put", "take", "settle", "read", "control", "job"] as const;
    const stops = names.map((name) => {
      const channel = tracingChannel<
        unknown,
        { queue: string; backend: string; count?: number; type?: string; attempt?: number }
      >(`pq:${name}`);
      const handlers = {
        start: ({
          queue,
          backend,
          count,
          attempt,
        }: {
          queue: string;
          backend: string;
          count?: number;
          attempt?: number;
        }) => void heard.push([name, queue, backend, count ?? attempt]),
        end: () => undefined,
        asyncStart: () => undefined,
        asyncEnd: () => undefined,
        error: ({ error }: { error: unknown }) => void heard.push([name, (error as Error).message]),
      };
      channel.subscribe(handlers);
      return () => channel.unsubscribe(handlers);
    });
    await Promise.all([queue.put(1), queue.put(2)]);
    const worker = queue.work((job) => {
      if (job.payload === 2) throw new Error("two");
    }, { concurrency: 2 }); // prettier-ignore
    await t.clock.advance(10);
    await worker.close();
    await queue.kick(1);
    for (const stop of stops) stop();
    await queue.stats();
    const of = (...names: string[]): unknown[] => heard.filter((event) => names.includes((event as string[])[0] ?? ""));
    expect(of("put", "job", "control")).toEqual([
      ["put", "q", "test", 2],
      ["job", "q", "test", 1],
      ["job", "q", "test", 1],
      ["job", "two"],
      ["control", "q", "test", undefined],
    ]);
    expect(of("take")[0]).toEqual(["take", "q", "test", 2]);
    expect(of("settle").length).toBeGreaterThan(0);
    expect(of("read")).toEqual([]);
  });
});
