import { describe, expect, test } from "vitest";
import { PqError } from "../src/errors.ts";
import { type Job, Queue } from "../src/index.ts";
import { newJobId } from "../src/id.ts";
import { errorOf, type Fate, Gate, lost, silence, stateOf, TestBackend, turns, unavailable } from "./support.ts";

const corrupt: Fate = { type: "reject", error: new PqError("CORRUPT", "bad block") };

async function warningsDuring(fn: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = [];
  const listen = (warning: Error & { code?: string }): void =>
    void warnings.push(`${warning.code}: ${warning.message}`);
  process.on("warning", listen);
  await fn();
  await turns();
  process.off("warning", listen);
  return warnings;
}

describe("opening and closing", () => {
  test("opens at the first call, once for all queues", async () => {
    const t = new TestBackend();
    const [a, b] = [t.queue({}, "a"), t.queue({}, "b")];
    expect(t.count("open")).toBe(0);
    expect(a.guarantees).toBeUndefined();
    await Promise.all([a.put(1), b.put(1), a.size()]);
    expect(t.count("open")).toBe(1);
    expect(a.guarantees?.durability).toBe("memory");
    await a.close();
    expect(t.count("close")).toBe(0);
    await b.put(2);
    await b.close();
    await b.close();
    expect(t.count("close")).toBe(1);
  });

  test("a queue that was never used opens and closes nothing", async () => {
    const t = new TestBackend();
    await t.queue().close();
    expect(t.calls).toEqual([]);
  });

  test("a failed open is tried again, within the call and by the next one", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.next("open", unavailable);
    const put = queue.put(1);
    await t.clock.advance(100);
    expect((await put).status).toBe("added");
    expect(t.count("open")).toBe(2);

    const u = new TestBackend();
    await using other = u.queue();
    u.next("open", { type: "reject", error: new PqError("LOCKED", "pid 1") });
    expect(await errorOf(other.put(1))).toMatchObject({ code: "LOCKED" });
    expect((await other.put(1)).status).toBe("added");
  });

  test("an open that never ends does not hold calls beyond their deadline", async () => {
    const t = new TestBackend();
    const queue = t.queue({ deadline: "2s" });
    t.next("open", silence);
    const put = errorOf(queue.put(1));
    await t.clock.advance(2000);
    expect(await put).toMatchObject({ code: "UNAVAILABLE" });
    await t.clock.advance(60_000);
    expect((await queue.put(1)).status).toBe("added");
    await queue.close();
  });

  test("opening counts against the call's deadline", async () => {
    const t = new TestBackend();
    const queue = t.queue({ deadline: "2s" });
    const gate = new Gate();
    t.next("open", { type: "hold", gate: gate.opened });
    t.always("put", silence);
    const put = errorOf(queue.put(1));
    await t.clock.advance(1500);
    gate.open();
    await t.clock.advance(500);
    expect(await put).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("a close that never ends is bounded, and the queue's close does not reject", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    await queue.put(1);
    t.next("close", silence);
    const errors: unknown[] = [];
    queue.on("error", ({ error }) => errors.push(error));
    const closing = queue.close();
    await t.clock.advance(15_000);
    await closing;
    expect(errors).toHaveLength(1);
  });

  test("closing is bounded with a dead store, everything made before settles, and no timer is left", async () => {
    const t = new TestBackend();
    const queue = t.queue<number>();
    await queue.putMany([1, 2]);
    const job = await queue.take();
    for (const method of ["put", "take", "settle", "touch", "wait", "stats", "close"] as const) {
      t.always(method, silence);
    }
    queue.on("error", () => undefined);
    const worker = queue.work(() => undefined);
    worker.on("error", () => undefined);
    const calls: Promise<unknown>[] = [
      queue.put(3),
      queue.putMany([4, 5]),
      queue.take({ wait: true }),
      job?.ack() ?? Promise.resolve(),
      job?.touch() ?? Promise.resolve(),
      queue.stats(),
      queue.join(),
    ];
    const settled = Promise.allSettled(calls);
    await turns();
    const closing = queue.close();
    await t.clock.advance(30_000);
    expect(await stateOf(closing)).toBe("resolved");
    expect((await settled).every(({ status }) => status === "rejected")).toBe(true);
    expect(t.clock.timers).toBe(0);
  });

  test("a new queue on a closed backend opens it again", async () => {
    const t = new TestBackend();
    const first = t.queue();
    await first.put(1);
    await first.close();
    await using second = t.queue();
    expect(await second.size()).toBe(1);
    expect(t.count("open")).toBe(2);
  });

  test("a queue that comes while the backend closes waits for it, and opens it again", async () => {
    const t = new TestBackend();
    const first = t.queue();
    await first.put(1);
    const gate = new Gate();
    t.next("close", { type: "hold", gate: gate.opened });
    const closing = first.close();
    await turns();
    expect(t.count("close")).toBe(1);
    await using second = t.queue();
    const size = second.size();
    await turns();
    expect(await stateOf(size)).toBe("pending");
    gate.open();
    await closing;
    expect(await size).toBe(1);
  });

  test("a queue that comes while the one before closes in the midst of opening keeps the backend open", async () => {
    const t = new TestBackend();
    const first = t.queue({ deadline: 100 });
    const gate = new Gate();
    t.next("open", { type: "hold", gate: gate.opened });
    const put = errorOf(first.put(1));
    await t.clock.advance(100);
    await put;
    const closing = first.close();
    await turns();
    await using second = t.queue();
    const size = second.size();
    await turns();
    gate.open();
    await closing;
    expect(await size).toBe(0);
    expect(t.count("close")).toBe(0);
  });

  test("ready() gives opening a minute", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const gate = new Gate();
    t.next("open", { type: "hold", gate: gate.opened });
    const ready = queue.ready();
    await t.clock.advance(50_000);
    expect(await stateOf(ready)).toBe("pending");
    gate.open();
    expect((await ready).durability).toBe("memory");
  });

  test("calls after close are CLOSED; those made before are let through", async () => {
    const t = new TestBackend();
    const queue = t.queue();
    const put = queue.put(1);
    await turns();
    const closing = queue.close();
    expect((await put).status).toBe("added");
    await closing;
    for (const call of [
      queue.put(1),
      queue.putMany([1]),
      queue.take(),
      queue.size(),
      queue.kick(1),
      queue.truncate(),
      queue.ready(),
      queue.peek(newJobId()),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: "CLOSED" });
    }
    expect(() => queue.work(() => undefined)).toThrow(PqError);
    expect(() => queue.consume()).toThrow(PqError);
  });
});

describe("settings of the store", () => {
  test("WEAK_SETTINGS names what was found and the settings", async () => {
    const t = new TestBackend();
    t.guarantees = {
      durability: "process",
      store: "Redis 7.0",
      warnings: ["appendfsync is everysec: set it to always."],
    };
    await using queue = t.queue({ requires: "disk" });
    const error = await errorOf(queue.ready());
    expect(error).toMatchObject({ code: "WEAK_SETTINGS" });
    expect(error.message).toBe(
      'queue "q" requires durability "disk", Redis 7.0 gives "process": appendfsync is everysec: set it to always.',
    );
    expect(await errorOf(queue.put(1))).toMatchObject({ code: "WEAK_SETTINGS" });
    expect(t.count("put")).toBe(0);
  });

  test("strong enough settings pass, and another queue may ask for less", async () => {
    const t = new TestBackend();
    t.guarantees = { durability: "disk", store: "s", warnings: [] };
    await using strong = t.queue({ requires: "majority" });
    await using weak = t.queue({ requires: "disk" });
    expect(await errorOf(strong.put(1))).toMatchObject({ code: "WEAK_SETTINGS" });
    expect((await weak.put(1)).status).toBe("added");
  });

  test("one process warning for each weak setting, once", async () => {
    const t = new TestBackend();
    t.guarantees = { durability: "memory", store: "s", warnings: ["no persistence", "evicts keys"] };
    const warnings = await warningsDuring(async () => {
      await using a = t.queue({}, "a");
      await using b = t.queue({}, "b");
      await Promise.all([a.put(1), b.put(1)]);
      await a.put(2);
    });
    expect(warnings).toEqual(["PQ_WEAK_SETTINGS: test: no persistence", "PQ_WEAK_SETTINGS: test: evicts keys"]);
  });
});

describe("the three results of a call", () => {
  test("a value after retries, with the same request", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.next("put", unavailable, lost, unavailable);
    const put = queue.put(1);
    await t.clock.advance(1000);
    expect((await put).status).toBe("added");
    const requests = t.params<{ request: string }>("put").map(({ request }) => request);
    expect(requests).toHaveLength(4);
    expect(new Set(requests).size).toBe(1);
    expect(await queue.size()).toBe(1);
  });

  test("UNAVAILABLE when no try was applied", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.always("put", unavailable);
    const put = errorOf(queue.put(1));
    await t.clock.advance(14_000);
    expect(await stateOf(put)).toBe("pending");
    await t.clock.advance(1000);
    expect(await put).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(t.count("put")).toBeGreaterThan(10);
    expect(t.count("put")).toBeLessThan(50);
  });

  test("OUTCOME_UNKNOWN when one of the tries may have been", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.next("put", lost);
    t.always("put", unavailable);
    const put = errorOf(queue.put(1));
    await t.clock.advance(15_000);
    expect(await put).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("a last try without an answer tells how the one before was refused", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.next("put", { type: "reject", error: new PqError("UNAVAILABLE", "cannot connect to there:1") });
    t.always("put", silence);
    const put = errorOf(queue.put(1));
    await t.clock.advance(15_000);
    const error = await put;
    expect(error.message).toMatch(/: put: no answer within \d+ ms; before: cannot connect to there:1$/);
    expect(error.cause).toMatchObject({ code: "UNAVAILABLE", message: "cannot connect to there:1" });
  });

  test("OUTCOME_UNKNOWN stays so when a later try says something about itself only", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.next("put", silence, corrupt);
    const put = errorOf(queue.put(1));
    await t.clock.advance(6000);
    expect(await put).toMatchObject({ code: "OUTCOME_UNKNOWN", cause: { code: "CORRUPT" } });
  });

  test.each(["put", "take", "control"] as const)(
    "a backend that never answers %s gives OUTCOME_UNKNOWN by the deadline",
    async (method) => {
      const t = new TestBackend();
      await using queue = t.queue();
      t.always(method, silence);
      const call = errorOf(method === "put" ? queue.put(1) : method === "take" ? queue.take() : queue.kick(1));
      await t.clock.advance(14_990);
      expect(await stateOf(call)).toBe("pending");
      await t.clock.advance(10);
      expect(await call).toMatchObject({ code: "OUTCOME_UNKNOWN" });
      // A third of the deadline each, and pauses between.
      expect(t.count(method)).toBe(3);
      expect(t.clock.timers).toBe(0);
    },
  );

  test.each(["read", "stats"] as const)("a read is never of unknown outcome: %s", async (method) => {
    for (const fate of [silence, lost, { type: "reject", error: new Error("bug") } as const]) {
      const t = new TestBackend();
      await using queue = t.queue();
      t.always(method, fate);
      const call = errorOf(method === "read" ? queue.peek(newJobId()) : queue.stats());
      await t.clock.advance(15_000);
      expect(await call).toMatchObject({ code: "UNAVAILABLE" });
    }
  });

  test("what is no PqError is of unknown outcome, with its cause, and is repeated", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const bug = new Error("mongodb://user:secret@host failed");
    t.always("put", { type: "reject", error: bug });
    const put = errorOf(queue.put(1));
    await t.clock.advance(15_000);
    const error = await put;
    expect(error).toMatchObject({ code: "OUTCOME_UNKNOWN", cause: bug });
    expect(error.message).not.toContain("secret");
  });

  test("a backend that throws at once is no different", async () => {
    const t = new TestBackend();
    const backend = { ...t.backend, stats: (): never => { throw new Error("sync"); } }; // prettier-ignore
    await using queue = new Queue("q", { backend, clock: t.clock, deadline: 100 });
    const call = errorOf(queue.stats());
    await t.clock.advance(100);
    expect(await call).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("codes that a repetition cannot mend pass at once", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    t.next("put", corrupt);
    expect(await errorOf(queue.put(1))).toMatchObject({ code: "CORRUPT" });
    expect(t.count("put")).toBe(1);
  });

  test("no repetition after an unknown try once the store may have forgotten the request", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ deadline: "10m", attemptTimeout: "40s" });
    t.always("put", silence);
    const put = errorOf(queue.put(1));
    await t.clock.advance(81_000);
    expect(await put).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(t.count("put")).toBe(2);
  });

  test("a late answer of an earlier try ends the call", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const gate = new Gate();
    t.next("put", { type: "late", gate: gate.opened });
    t.always("put", silence);
    const put = queue.put(1);
    await t.clock.advance(6000);
    gate.open();
    expect((await put).status).toBe("added");
  });

  test("a late failure of an abandoned try is no unhandled rejection and changes nothing", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const gate = new Gate();
    const failing = gate.opened.then(() => Promise.reject(new Error("late")));
    t.next("put", { type: "hold", gate: failing });
    const put = queue.put(1);
    await t.clock.advance(6000);
    expect((await put).status).toBe("added");
    gate.open();
    await turns();
  });

  test("a late failure of an abandoned try does not end the try after it", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const gate = new Gate();
    t.next("put", { type: "hold", gate: gate.opened.then(() => Promise.reject(new Error("late"))) }, silence);
    const put = queue.put(1);
    await t.clock.advance(6000);
    gate.open();
    await t.clock.advance(3000);
    expect(t.count("put")).toBe(2);
    await t.clock.advance(3000);
    expect((await put).status).toBe("added");
    expect(t.count("put")).toBe(3);
  });

  test("a put that is found under its own id after an unknown try counts as added", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    const id = newJobId();
    await queue.put(1, { id });
    expect((await queue.put(1, { id })).status).toBe("duplicate");
    t.next("put", silence);
    const put = queue.put(1, { id });
    await t.clock.advance(6000);
    expect(await put).toEqual({ id, status: "added" });
  });

  test("jobs of a take that failed and is answered after all go back", async () => {
    const t = new TestBackend();
    await using queue = t.queue({ lease: "1h" });
    await queue.put(1);
    const gate = new Gate();
    t.next("take", { type: "late", gate: gate.opened });
    t.always("take", silence);
    const take = errorOf(queue.take());
    await t.clock.advance(15_000);
    expect(await take).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect((await queue.stats()).leased).toBe(1);
    gate.open();
    await turns();
    t.always("take", undefined);
    const job: Job | null = await queue.take();
    expect(job?.attempt).toBe(1);
  });

  test("a take whose reply was lost gives its jobs to the repetition", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    await queue.put(1);
    t.next("take", lost);
    const take = queue.take();
    await t.clock.advance(100);
    expect((await take)?.attempt).toBe(1);
  });

  test("truncate has more time than other calls", async () => {
    const t = new TestBackend();
    await using queue = t.queue();
    await queue.put(1);
    const gate = new Gate();
    t.next("control", { type: "late", gate: gate.opened });
    const truncate = queue.truncate();
    await t.clock.advance(50_000);
    expect(await stateOf(truncate)).toBe("pending");
    gate.open();
    expect(await truncate).toBe(1);
  });

  test("relays the backend's events to its queues, damage to the one concerned", async () => {
    const t = new TestBackend();
    await using a = t.queue({}, "a");
    await using b = t.queue({}, "b");
    await a.ready();
    await b.ready();
    const heard: string[] = [];
    for (const queue of [a, b]) {
      queue.on("damage", ({ message }) => heard.push(`${queue.name}: ${message}`));
      queue.on("disconnected", ({ message }) => heard.push(`${queue.name}: ${message}`));
    }
    t.report({ type: "damage", message: "torn", queue: "b" });
    t.report({ type: "disconnected", message: "gone" });
    expect(heard).toEqual(["b: torn", "a: gone", "b: gone"]);
  });
});
