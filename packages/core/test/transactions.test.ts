/** Puts in a transaction of the user's: what core makes of them. That their jobs come with the commit is proven by the rules `transactions.*`. */
import { describe, expect, test } from "vitest";
import type { PutParams } from "../src/backend.ts";
import { defineCapabilities } from "../src/capabilities.ts";
import { bytes, PqError, type PqErrorCode, type PutOptions } from "../src/index.ts";
import { ManualClock, ReferenceStore, ReferenceTransaction } from "../src/testing/index.ts";
import { errorOf, type Fate, Gate, silence, stateOf, TestBackend, turns } from "./support.ts";

/** What the client of some store throws, and must find again in what it catches. */
class ClientError extends Error {
  readonly labels = ["TransientTransactionError"];
}

function setUp() {
  const clock = new ManualClock();
  const store = new ReferenceStore(clock);
  const t = new TestBackend(clock, store);
  const transaction = <T>(work: (session: object) => Promise<T>): Promise<T> => ReferenceTransaction.run(store, work);
  return { t, queue: t.queue(), transaction };
}

function rejection(code: PqErrorCode, cause?: unknown): Fate {
  return { type: "reject", error: new PqError(code, "as the store says", { cause }) };
}

describe("a put with a session", () => {
  test("is a call of its own, beside those that are gathered and under way", async () => {
    const { t, queue, transaction } = setUp();
    await queue.ready();
    const gate = new Gate();
    t.next("put", { type: "hold", gate: gate.opened });
    const others = [queue.put("1"), queue.put("2")];
    await turns();
    others.push(queue.put("3"));
    await transaction(async (session) => {
      const puts = await Promise.all([queue.put("4", { session }), queue.urgent("5", { session })]);
      expect(puts.map(({ status }) => status)).toEqual(["added", "added"]);
      const [, four, five] = t.params<PutParams>("put");
      for (const params of [four, five]) {
        expect(params).toMatchObject({ after: null, partial: false, jobs: [{}], maxSize: null });
        expect(params?.transaction).toBe(session);
      }
      expect(new Set(t.params<PutParams>("put").map(({ request }) => request)).size).toBe(3);
    });
    gate.open();
    await Promise.all(others);
    expect(t.params<PutParams>("put").map((params) => params.transaction === null)).toEqual([true, false, false, true]);
    expect((await queue.list({ state: "ready" })).jobs.map(({ payload }) => payload)).toEqual([
      "5",
      "4",
      "1",
      "2",
      "3",
    ]);
    await queue.close();
  });

  test("of many jobs is one call", async () => {
    const { t, queue, transaction } = setUp();
    await transaction(async (session) => {
      expect(await queue.putMany([1, 2, 3], { session })).toHaveLength(3);
      expect(await queue.putMany([4, 5], (payload) => ({ session, priority: -Number(payload) }))).toHaveLength(2);
      for (const params of t.params<PutParams>("put")) expect(params.transaction).toBe(session);
      expect(t.params<PutParams>("put").map(({ jobs }) => jobs.length)).toEqual([3, 2]);
      expect(await queue.size()).toBe(0);
    });
    expect((await queue.takeMany(9)).map(({ payload }) => payload)).toEqual([5, 4, 1, 2, 3]);
    await queue.close();
  });

  test("may be many jobs of one session only", async () => {
    const { t, queue } = setUp();
    const sessions = [{}, {}];
    for (const options of [
      (_: unknown, index: number): PutOptions => ({ session: sessions[index]! }),
      (_: unknown, index: number): PutOptions => (index === 0 ? {} : { session: sessions[0]! }),
    ]) {
      expect(await errorOf(queue.putMany([1, 2], options))).toBeInstanceOf(TypeError);
    }
    expect(t.calls).toEqual([]);
    await queue.close();
  });

  test.each(["UNAVAILABLE", "OUTCOME_UNKNOWN"] as const)("is not tried again after %s", async (code) => {
    const { t, queue } = setUp();
    t.next("put", rejection(code));
    expect(await errorOf(queue.put("x", { session: {} }))).toMatchObject({ name: "PqError", code });
    expect(t.count("put")).toBe(1);
    await queue.close();
  });

  test.each(["UNAVAILABLE", "OUTCOME_UNKNOWN"] as const)(
    "rejects with what the client threw, when that is the cause of %s",
    async (code) => {
      const { t, queue } = setUp();
      const cause = new ClientError("write conflict");
      t.next("put", rejection(code, cause), rejection(code, cause));
      expect(await errorOf(queue.put("x", { session: {} }))).toBe(cause);
      expect(await errorOf(queue.putMany(["x"], { session: {} }))).toBe(cause);
      expect(t.count("put")).toBe(2);
      await queue.close();
    },
  );

  test("rejects with what the client threw also when the backend did not name it", async () => {
    const { t, queue } = setUp();
    const error = new ClientError("write conflict");
    t.next("put", { type: "reject", error });
    expect(await errorOf(queue.put("x", { session: {} }))).toBe(error);
    await queue.close();
  });

  test("rejects with the refusal of the backend, which no second run would change", async () => {
    const { t, queue } = setUp();
    t.next("put", rejection("PAYLOAD_TOO_LARGE", new RangeError("too large")));
    expect(await errorOf(queue.put("x", { session: {} }))).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await queue.close();
  });

  test("is of unknown outcome without an answer by the deadline, in one try, and without outcomes", async () => {
    const { t, queue } = setUp();
    await queue.ready();
    t.next("put", silence);
    const put = errorOf(queue.put("x", { session: {} }));
    await t.clock.advance(14_999);
    expect(await stateOf(put)).toBe("pending");
    await t.clock.advance(1);
    expect(await put).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(t.count("put")).toBe(1);
    Object.assign(t.backend, { put: async () => [] });
    expect(await errorOf(queue.put("x", { session: {} }))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    await queue.close();
  });

  test("does not wait for room, whatever the queue's defaults say", async () => {
    const { t, queue, transaction } = setUp();
    const bounded = t.queue({ maxSize: 1, defaults: { timeout: "10s" } });
    await bounded.put("first");
    await transaction(async (session) => {
      expect(await errorOf(bounded.put("second", { session }))).toMatchObject({ code: "QUEUE_FULL" });
      expect(await errorOf(bounded.putMany(["second"], { session }))).toMatchObject({ code: "QUEUE_FULL" });
    });
    expect(t.count("put")).toBe(3);
    await Promise.all([queue.close(), bounded.close()]);
  });

  test("is refused before anything is sent where the store has no transactions, with the remedy", async () => {
    const { t } = setUp();
    Object.assign(t.backend, { capabilities: defineCapabilities() });
    const queue = t.queue();
    for (const call of [
      queue.put("x", { session: {} }),
      queue.urgent("x", { session: {} }),
      queue.putMany(["x"], { session: {} }),
      queue.putMany(["x"], () => ({ session: {} })),
    ]) {
      const error = await errorOf(call);
      expect(error).toMatchObject({ code: "UNSUPPORTED" });
      expect(error.message).toMatch(/capabilities\.transactions/);
    }
    expect(t.calls).toEqual([]);
    await queue.close();
  });

  test("takes an object for a session, and no timeout beside it", async () => {
    const { t, queue } = setUp();
    // @ts-expect-error a session is an object
    const text: PutOptions = { session: "session" };
    for (const options of [text, { session: null }, { session: {}, timeout: 5 }] as PutOptions[]) {
      expect(await errorOf(queue.put("x", options))).toBeInstanceOf(TypeError);
      expect(await errorOf(queue.putMany(["x"], options))).toBeInstanceOf(TypeError);
    }
    expect(t.calls).toEqual([]);
    await queue.close();
  });

  test("is awaited by close, and refused after it", async () => {
    const { t, queue, transaction } = setUp();
    await queue.ready();
    await transaction(async (session) => {
      const gate = new Gate();
      t.next("put", { type: "late", gate: gate.opened });
      const put = queue.put("x", { session });
      await turns();
      const closing = queue.close();
      expect(await stateOf(closing)).toBe("pending");
      expect(await errorOf(queue.put("y", { session }))).toMatchObject({ code: "CLOSED" });
      gate.open();
      expect((await put).status).toBe("added");
      await closing;
    });
  });
});

describe("a transaction of the store in memory", () => {
  test("fails when another was quicker to take a key, and leaves nothing", async () => {
    const { queue, transaction } = setUp();
    const racing = transaction(async (session) => {
      await queue.put("first", { session });
      await queue.put("within", { session, key: "k" });
      await queue.put("beside", { key: "k" });
    });
    expect(await errorOf(racing)).toMatchObject({ code: "UNAVAILABLE" });
    expect((await queue.list({ state: "ready" })).jobs.map(({ payload }) => payload)).toEqual(["beside"]);
    await queue.close();
  });

  test("keeps its own copy of what is put", async () => {
    const { t, transaction } = setUp();
    const queue = t.queue<Uint8Array>({ codec: bytes });
    const payload = Buffer.from("as it was put");
    await transaction(async (session) => {
      await queue.put(payload, { session });
      payload.fill("x");
    });
    expect(Buffer.from((await queue.take())!.payload).toString()).toBe("as it was put");
    await queue.close();
  });

  test("knows its own sessions only", async () => {
    const { queue } = setUp();
    expect(await errorOf(queue.put("x", { session: {} }))).toMatchObject({ code: "INVALID_STATE" });
    await queue.close();
  });
});
