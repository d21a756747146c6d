/** Handlers, listeners, validators and loops that do what they should not, or at the wrong moment. */
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { bytes, Queue, type StandardSchemaV1 } from "../src/index.ts";
import { memory } from "../src/testing/index.ts";
import { collect, errorOf, Gate, TestBackend, turns, unavailable } from "./support.ts";

/** A validator that answers this. */
function answering(answer: () => unknown): StandardSchemaV1 {
  return { "~standard": { version: 1, vendor: "test", validate: answer as never } };
}

describe("a worker", () => {
  test("does not ack what its handler tried to release while the store was away", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.put("x");
    const worker = queue.work((job) => {
      t.always("settle", unavailable);
      job.release().catch(() => undefined);
    });
    const errors = collect((listener) => worker.on("error", listener));
    await t.clock.advance(16_000);
    t.always("settle", undefined);
    await t.clock.advance(1000);
    expect((await queue.stats()).counters.ack).toBe(0);
    expect(errors).toHaveLength(1);
    await queue.close();
  });

  test.each(["release", "requeue", "fail", "bury"] as const)(
    "does not ack what its handler could not %s, although it swallowed the error and returned",
    async (how) => {
      const t = new TestBackend();
      const queue = t.queue({ deadline: 1000 });
      await queue.put("x");
      const worker = queue.work(async (job) => {
        t.always("settle", unavailable);
        await job[how](undefined as never).catch(() => undefined);
        t.always("settle", undefined);
      });
      const errors = collect((listener) => worker.on("error", listener));
      await t.clock.advance(5000);
      expect(errors).toHaveLength(1);
      expect(await queue.stats()).toMatchObject({ leased: 1, counters: { ack: 0 } });
      await queue.close();
    },
  );

  test("run() does not ack what its function could not release", async () => {
    const t = new TestBackend();
    const queue = t.queue({ deadline: 1000 });
    await queue.put("x");
    const job = await queue.take();
    const running = job?.run(async (same) => {
      t.always("settle", unavailable);
      await same.release().catch(() => undefined);
      t.always("settle", undefined);
    });
    await t.clock.advance(5000);
    await running;
    expect(await queue.stats()).toMatchObject({ leased: 1, counters: { ack: 0 } });
    await queue.close();
  });

  test("does not start a job whose lease ran out in the buffer", async () => {
    const t = new TestBackend();
    const queue = t.queue({ lease: "3s" });
    await queue.putMany([1, 2]);
    const seen: unknown[] = [];
    const lost: unknown[] = [];
    const worker = queue.work(
      (job) => {
        seen.push(job.payload);
        // The event loop is blocked: time passes, and no timer fires.
        if (seen.length === 1) blocked = 4000;
      },
      { prefetch: 1 },
    );
    worker.on("lost", ({ job }) => lost.push(job.payload));
    let blocked = 0;
    const monotonic = t.clock.monotonic.bind(t.clock);
    t.clock.monotonic = () => monotonic() + blocked;
    await turns();
    expect(seen).toEqual([1]);
    expect(lost).toContain(2);
    await queue.close();
  });

  test("with instant handlers on a store in memory lets timers run", async () => {
    await using queue = new Queue<number>("q", { backend: memory() });
    let ran = 0;
    let over = false;
    setTimeout(() => (over = true), 20);
    // Each job puts the next one: without a timer, it ends here.
    queue.work(async () => {
      if (!over && ++ran < 50_000) await queue.put(ran);
    });
    await queue.put(0);
    await queue.join();
    expect(ran).toBeLessThan(50_000);
  });

  test("read in a loop on a store in memory lets timers run", async () => {
    await using queue = new Queue<number>("q", { backend: memory() });
    let over = false;
    setTimeout(() => (over = true), 20);
    await queue.put(0);
    for await (const job of queue.consume()) {
      await job.ack();
      if (over || job.payload >= 50_000) {
        expect(job.payload).toBeLessThan(50_000);
        break;
      }
      await queue.put(job.payload + 1);
    }
    expect(over).toBe(true);
  });

  test("takes as many as it has slots, also when they are very many", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>();
    await queue.ready();
    const job = { ...(await sample(t)), lease: 60_000 };
    let left = 200_000;
    Object.assign(t.backend, {
      take: async ({ limit }: { limit: number }) => {
        const count = Math.min(limit, left);
        left -= count;
        return Array.from({ length: count }, (_, index) => ({ ...job, id: `${left + index}` }));
      },
      settle: async ({ items }: { items: unknown[] }) => items.map(() => "gone"),
    });
    let ran = 0;
    const worker = queue.work(() => ran++, { concurrency: 100_000, prefetch: 100_000 });
    const errors = collect((listener) => worker.on("error", listener));
    await turns(500);
    expect(errors).toEqual([]);
    expect(ran).toBe(200_000);
    await queue.close();
  });

  test("survives listeners that throw what cannot be described", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    const worker = queue.work(() => undefined);
    worker.on("active", () => {
      throw Object.create(null);
    });
    await queue.putMany([1, 2, 3]);
    await t.clock.advance(100);
    expect((await queue.stats()).counters.ack).toBe(3);
    await queue.close();
  });

  test("fails a job whose error and backoff cannot be described", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.put("x", { maxAttempts: 1 });
    queue.work(
      () => {
        throw Object.create(null);
      },
      {
        backoff: () => {
          throw Object.create(null);
        },
      },
    );
    await t.clock.advance(100);
    expect((await queue.stats()).buried).toBe(1);
    await queue.close();
  });
});

async function sample(t: TestBackend): Promise<object> {
  const queue = t.queue({}, "sample");
  const { id } = await queue.put(1);
  const [job] = await t.backend.take({ queue: "sample", limit: 1, lease: 60_000, request: id as never });
  return { ...job };
}

describe("a loop", () => {
  test("that is closed while its jobs are checked gives them back", async () => {
    const t = new TestBackend();
    const gate = new Gate();
    const schema = answering(() => gate.opened.then(() => ({ value: "checked" })));
    const plain = t.queue();
    await plain.put("x");
    const queue = t.queue({ schema });
    const loop = queue.consume();
    const next = loop.next();
    await turns();
    await loop.close();
    gate.open();
    expect(await next).toEqual({ done: true, value: undefined });
    await turns();
    expect(await plain.stats()).toMatchObject({ ready: 1, leased: 0 });
    expect(t.clock.timers).toBe(0);
    await queue.close();
    await plain.close();
  });

  test("that is closed in the very turn of the take strands nothing", async () => {
    for (let ticks = 0; ticks < 40; ticks++) {
      const t = new TestBackend();
      const queue = t.queue();
      await queue.put("x");
      const loop = queue.consume();
      const next = loop.next();
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      await loop.close();
      await next;
      await turns();
      expect({ ticks, stats: await queue.stats() }).toMatchObject({ ticks, stats: { ready: 1, leased: 0 } });
      expect(t.clock.timers).toBe(0);
      await queue.close();
    }
  });

  test("does not hand out a job whose lease ran out while it was taken ahead", async () => {
    const t = new TestBackend();
    const queue = t.queue({ lease: "3s" });
    await queue.putMany([1, 2]);
    const loop = queue.consume({ prefetch: 1 });
    const first = await loop.next();
    const monotonic = t.clock.monotonic.bind(t.clock);
    t.clock.monotonic = () => monotonic() + 4000;
    expect(first.value?.payload).toBe(1);
    const second = loop.next();
    // Given back before, and taken again.
    expect((await second).value?.payload).toBe(1);
    await queue.close();
  });

  test("that ends with an error has ended", async () => {
    const t = new TestBackend();
    const queue = t.queue({ requires: "disk" });
    const signal = new AbortController().signal;
    let listening = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => (listening++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listening--, remove(...args));
    const loop = queue.consume({ signal });
    expect(await errorOf(loop.next())).toMatchObject({ code: "WEAK_SETTINGS" });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    expect(listening).toBe(0);
    await queue.close();
  });
});

describe("a queue", () => {
  test("can be closed after a wrong timeout was given", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.put("x");
    queue.work(() => undefined);
    await expect(async () => queue.close({ timeout: "soon" as never })).rejects.toThrow(TypeError);
    await queue.close();
    expect(t.count("close")).toBe(1);
  });

  test("that closes ends puts that wait for room, results and joins", async () => {
    const t = new TestBackend();
    const queue = t.queue({ maxSize: 1 });
    const { id } = await queue.put("x");
    const all = [queue.put("y", { timeout: "1h" }), queue.result(id, { wait: true }), queue.join()].map(errorOf);
    await t.clock.advance(100);
    await queue.close();
    for (const error of await Promise.all(all)) expect(error).toMatchObject({ code: "CLOSED" });
    expect(t.clock.timers).toBe(0);
  });
});

describe("very many puts that wait for room", () => {
  test("share no signal: none of them makes the next one dearer, and no warning comes", async () => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.name);
    process.on("warning", listen);
    const t = new TestBackend();
    const queue = t.queue({ maxSize: 1 });
    await queue.put("x");
    const puts = Array.from({ length: 100 }, () => errorOf(queue.put("y", { timeout: "1h" })));
    await turns();
    await queue.close();
    for (const error of await Promise.all(puts)) expect(error).toMatchObject({ code: "CLOSED" });
    await turns();
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });
});

describe("bytes", () => {
  test("that a consumer writes to are not the store's", async () => {
    const t = new TestBackend();
    const queue = t.queue<Uint8Array>({ codec: bytes });
    await queue.put(Buffer.from("abc"));
    const job = await queue.take();
    job?.payload.fill(0);
    await job?.release();
    const again = await queue.take();
    expect(Buffer.from(again?.payload ?? []).toString()).toBe("abc");
    await queue.close();
  });

  test("must be what a codec makes", async () => {
    const t = new TestBackend();
    const codec = {
      name: "odd",
      encode: (value: unknown) => Promise.resolve(value),
      decode: (value: unknown) => value,
    };
    const queue = t.queue({ codec: codec as never });
    expect(await errorOf(queue.put("x"))).toMatchObject({ code: "INVALID_PAYLOAD" });
    expect(t.count("put")).toBe(0);
    await queue.close();
  });
});

describe("a validator", () => {
  const odd: readonly (readonly [string, () => unknown])[] = [
    ["nothing", () => undefined],
    ["null", () => null],
    ["issues that are no list", () => ({ issues: "bad" })],
    ["issues that are nothing", () => ({ issues: [null] })],
    ["an issue with an odd path", () => ({ issues: [{ message: "m", path: [null] }] })],
    ["nothing, later", () => Promise.resolve()],
    ["issues, by another kind of promise", (): unknown => runInNewContext("Promise.resolve({ issues: [] })")],
  ];
  test.each(odd)("that answers %s refuses the payload", async (_name, answer) => {
    const t = new TestBackend();
    const queue = t.queue({ schema: answering(answer) });
    expect(await errorOf(queue.put("x"))).toMatchObject({ code: "INVALID_PAYLOAD" });
    expect(t.count("put")).toBe(0);
    await queue.close();
  });
});
