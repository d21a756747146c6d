import { describe, expect, test } from "vitest";
import type { PutParams } from "../src/backend.ts";
import { type BatchCall, Batcher } from "../src/batcher.ts";
import { PqError } from "../src/errors.ts";
import { newJobId } from "../src/id.ts";
import { ManualClock } from "../src/testing/index.ts";
import { errorOf, Gate, silence, TestBackend, turns } from "./support.ts";

interface Item {
  readonly id: string;
  readonly bytes?: number;
}

type Send = (items: readonly Item[]) => Promise<readonly string[]>;

function setUp(
  send: Send,
  limits: { readonly maxItems: number; readonly chained: boolean } = { maxItems: 3, chained: false },
) {
  const clock = new ManualClock();
  const sent: string[][] = [];
  const calls: BatchCall[] = [];
  const batcher = new Batcher<Item, string>({
    clock,
    deadline: 1000,
    maxBytes: 100,
    maxItems: limits.maxItems,
    chained: () => limits.chained,
    idOf: ({ id }) => id,
    bytesOf: ({ bytes = 1 }) => bytes,
    send: (items, call) => {
      sent.push(items.map(({ id }) => id));
      calls.push(call);
      return send(items);
    },
  });
  return { clock, batcher, sent, calls };
}

const echo = async (items: readonly Item[]): Promise<readonly string[]> => items.map(({ id }) => id.toUpperCase());

describe("batcher", () => {
  test("a lone item goes within the same turn, without a timer", async () => {
    const { clock, batcher, sent } = setUp(echo);
    const answer = batcher.add({ id: "a" });
    await Promise.resolve();
    expect(sent).toEqual([["a"]]);
    expect(clock.timers).toBe(0);
    expect(await answer).toBe("A");
  });

  test("what is added while a call is in flight goes with the next, in order", async () => {
    const gate = new Gate();
    const { batcher, sent } = setUp(async (items) => (await gate.opened, echo(items)));
    const first = batcher.add({ id: "a" });
    await turns();
    const rest = Promise.all(["b", "c"].map((id) => batcher.add({ id })));
    await turns();
    expect(sent).toEqual([["a"]]);
    gate.open();
    expect(await first).toBe("A");
    expect(await rest).toEqual(["B", "C"]);
    expect(sent).toEqual([["a"], ["b", "c"]]);
  });

  test("is bounded by count", async () => {
    const { batcher, sent } = setUp(echo);
    await Promise.all(["a", "b", "c", "d"].map((id) => batcher.add({ id })));
    expect(sent).toEqual([["a", "b", "c"], ["d"]]);
  });

  test("is bounded by bytes, but one item always goes", async () => {
    const { batcher, sent } = setUp(echo);
    await Promise.all([60, 60, 500, 10].map((bytes, n) => batcher.add({ id: `${n}`, bytes })));
    expect(sent).toEqual([["0"], ["1"], ["2"], ["3"]]);
  });

  test("one id is at most once in a call", async () => {
    const { batcher, sent } = setUp(echo);
    await Promise.all(["a", "b", "a"].map((id) => batcher.add({ id })));
    expect(sent).toEqual([["a", "b"], ["a"]]);
  });

  test("an item that spoils its batch does not fail the others", async () => {
    const { batcher, sent } = setUp(async (items) => {
      if (items.some(({ id }) => id === "bad")) throw new PqError("PAYLOAD_TOO_LARGE", "too large");
      return echo(items);
    });
    const answers = await Promise.allSettled(["a", "bad", "c"].map((id) => batcher.add({ id })));
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(sent).toEqual([["a", "bad", "c"], ["a"], ["bad"], ["c"]]);
  });

  test("a failed call fails its items only, and the next goes on", async () => {
    let calls = 0;
    const { batcher } = setUp((items) =>
      ++calls === 1 ? Promise.reject(new PqError("UNAVAILABLE", "cut")) : echo(items),
    );
    const first = Promise.allSettled(["a", "b"].map((id) => batcher.add({ id })));
    expect((await first).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await batcher.add({ id: "c" })).toBe("C");
  });

  test("too few answers leave the outcome open", async () => {
    const { batcher } = setUp(async () => []);
    expect(await errorOf(batcher.add({ id: "a" }))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  });

  test("a call of its own keeps its place in the line", async () => {
    const { batcher, sent } = setUp(echo);
    const done: string[] = [];
    const note = (what: string) => (): void => void done.push(what);
    await Promise.all([
      batcher.add({ id: "a" }).then(note("a")),
      batcher.alone(async () => sent.push(["alone"])).then(note("alone")),
      batcher.add({ id: "b" }).then(note("b")),
    ]);
    expect(sent).toEqual([["a"], ["alone"], ["b"]]);
    expect(done).toEqual(["a", "alone", "b"]);
  });

  test("what has waited too long behind others is refused unsent", async () => {
    const gate = new Gate();
    const { clock, batcher, sent } = setUp(async (items) => (await gate.opened, echo(items)));
    const first = batcher.add({ id: "a" });
    await clock.advance(10);
    const second = errorOf(batcher.add({ id: "b" }));
    await clock.advance(900);
    const third = batcher.add({ id: "c" });
    gate.open();
    expect(await first).toBe("A");
    expect(await second).toMatchObject({ code: "UNAVAILABLE" });
    expect(await third).toBe("C");
    expect(sent).toEqual([["a"], ["c"]]);
  });

  test("idle resolves when everything is answered", async () => {
    const gate = new Gate();
    const { batcher } = setUp(async (items) => (await gate.opened, echo(items)));
    const order: string[] = [];
    const added = batcher.add({ id: "a" }).then(() => order.push("answered"));
    const idle = batcher.idle().then(() => order.push("idle"));
    gate.open();
    await Promise.all([added, idle]);
    expect(order).toEqual(["answered", "idle"]);
    await batcher.idle();
  });
});

describe("a batcher of calls that can be chained", () => {
  /** Each call is answered when its gate opens, unless it fails with the error given for it. */
  function chained(...errors: (PqError | undefined)[]) {
    const gates: Gate[] = [];
    const all = setUp(
      async (items) => {
        const [gate, error] = [new Gate(), errors[gates.length]];
        gates.push(gate);
        await gate.opened;
        if (error !== undefined) throw error;
        return echo(items);
      },
      { maxItems: 1000, chained: true },
    );
    const add = (count: number, name = "item"): Promise<string[]> =>
      Promise.all(Array.from({ length: count }, (_, n) => all.batcher.add({ id: `${name}-${n}`, bytes: 0 })));
    const sizes = (): number[] => all.sent.map(({ length }) => length);
    return { ...all, gates, add, sizes };
  }

  test("sends a large burst in two calls, the second to come after the first while that is in flight", async () => {
    const { add, gates, sizes, calls, sent } = chained();
    const added = add(101);
    await turns();
    expect(sizes()).toEqual([51, 50]);
    expect(sent.flat()).toEqual(Array.from({ length: 101 }, (_, n) => `item-${n}`));
    const [first, second] = calls;
    expect(first?.after).toBeNull();
    expect(second?.after).toBe(first?.request);
    gates[0]?.open();
    await turns();
    expect(second?.after).toBeNull();
    gates[1]?.open();
    expect(await added).toHaveLength(101);
  });

  test("sends a small burst in one call, and few items wait for it", async () => {
    const { add, gates, sizes } = chained();
    const [burst, few] = [add(30), add(1, "few")];
    await turns();
    const more = add(15, "more");
    await turns();
    expect(sizes()).toEqual([31]);
    gates[0]?.open();
    await Promise.all([burst, few]);
    await turns();
    expect(sizes()).toEqual([31, 15]);
    gates[1]?.open();
    await more;
  });

  test("sends a second call as soon as enough items wait, and no third", async () => {
    const { add, gates, sizes, calls } = chained();
    const all = [add(1, "a")];
    await turns();
    all.push(add(15, "b"));
    await turns();
    expect(sizes()).toEqual([1]);
    all.push(add(1, "c"));
    await turns();
    expect(sizes()).toEqual([1, 16]);
    all.push(add(500, "d"));
    await turns();
    expect(sizes()).toEqual([1, 16]);
    gates[1]?.open();
    await turns();
    // The first is still there: what goes now must come after it.
    expect(sizes()).toEqual([1, 16, 251]);
    expect(calls[2]?.after).toBe(calls[0]?.request);
    gates[0]?.open();
    await turns();
    expect(sizes()).toEqual([1, 16, 251, 249]);
    expect(calls[3]?.after).toBe(calls[2]?.request);
    for (const gate of gates) gate.open();
    await Promise.all(all);
  });

  test("puts nothing beside a call of its own, and lets it wait for both others", async () => {
    const { add, gates, sizes, batcher } = chained();
    const gate = new Gate();
    const order: string[] = [];
    const before = add(80, "before");
    const alone = batcher.alone(async () => {
      order.push("alone");
      await gate.opened;
    });
    const after = add(80, "after");
    await turns();
    expect(sizes()).toEqual([80]);
    gates[0]?.open();
    await turns();
    expect([order, sizes()]).toEqual([["alone"], [80]]);
    gate.open();
    await alone;
    await turns();
    expect(sizes()).toEqual([80, 40, 40]);
    for (const one of gates) one.open();
    await Promise.all([before, after]);
  });

  test("lets a call of its own wait for two in flight", async () => {
    const { add, gates, batcher } = chained();
    const order: string[] = [];
    const before = add(80);
    await turns();
    const alone = batcher.alone(async () => void order.push("alone"));
    gates[1]?.open();
    await turns();
    expect(order).toEqual([]);
    gates[0]?.open();
    await Promise.all([before, alone]);
    expect(order).toEqual(["alone"]);
  });

  test("never puts a call of its own beside another when those before it are overdue", async () => {
    const { add, gates, batcher, clock, sizes } = chained();
    const first = add(1, "first");
    await turns();
    await clock.advance(10);
    const late = errorOf(add(10, "late"));
    await clock.advance(700);
    const order: string[] = [];
    const alone = batcher.alone(async () => void order.push("alone"));
    await clock.advance(100);
    const rest = add(40, "rest");
    expect(await late).toMatchObject({ code: "UNAVAILABLE" });
    expect([sizes(), order]).toEqual([[1], []]);
    gates[0]?.open();
    await alone;
    await turns();
    for (const gate of gates) gate.open();
    await Promise.all([first, rest]);
    expect(sizes()).toEqual([1, 20, 20]);
  });

  test("holds the second call behind all items of the first when those go again one by one", async () => {
    const { add, gates, calls, sizes } = chained(new PqError("PAYLOAD_TOO_LARGE", "one is too large"));
    const added = add(64);
    await turns();
    gates[0]?.open();
    await turns();
    expect(sizes()).toEqual([32, 32, 1]);
    expect(calls[1]?.after).toBe(calls[0]?.request);
    for (let n = 2; n < 34; n++) {
      gates[n]?.open();
      await turns(1);
    }
    await turns();
    expect(calls[1]?.after).toBeNull();
    gates[1]?.open();
    expect(await added).toHaveLength(64);
    expect(sizes()).toEqual([32, 32, ...Array.from({ length: 32 }, () => 1)]);
  });

  test("goes on with two calls when the answers of both come at once", async () => {
    const { batcher, sizes, gates } = chained();
    let left = 300;
    const lane = async (): Promise<void> => {
      while (left > 0) await batcher.add({ id: `${left--}`, bytes: 0 });
    };
    const lanes = Promise.all(Array.from({ length: 100 }, lane));
    await turns();
    expect(sizes()).toEqual([50, 50]);
    gates[0]?.open();
    gates[1]?.open();
    // The callers of the first have their turn before those of the second.
    await turns(1);
    expect(sizes()).toEqual([50, 50, 50]);
    await turns();
    expect(sizes()).toEqual([50, 50, 50, 50]);
    for (let n = 0; n < 20; n++) {
      for (const gate of gates) gate.open();
      await turns();
    }
    await lanes;
  });
});

describe("batched puts", () => {
  test.each([
    [31, 1],
    [100, 2],
  ])("%i concurrent puts go in %i calls, in the order in which they were made", async (count, calls) => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.ready();
    await Promise.all(Array.from({ length: count }, (_, n) => queue.put(n)));
    expect(t.count("put")).toBe(calls);
    const jobs = await queue.takeMany(count);
    expect(jobs.map(({ payload }) => payload)).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  test("order holds through retries: nothing overtakes a call that is not answered", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.ready();
    t.next("put", silence);
    const puts = [queue.put(1)];
    await turns();
    puts.push(queue.put(2), queue.putMany([3, 4]) as never, queue.put(5));
    await t.clock.advance(6000);
    await Promise.all(puts);
    expect((await queue.takeMany(9)).map(({ payload }) => payload)).toEqual([1, 2, 3, 4, 5]);
  });

  test("putMany is a call of its own, all or nothing", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ maxSize: 3 });
    const results = await Promise.allSettled([queue.put(0), queue.putMany([1, 2, 3]), queue.put(4)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(t.params<PutParams>("put").map(({ partial, jobs }) => [partial, jobs.length])).toEqual([
      [true, 1],
      [false, 3],
      [true, 1],
    ]);
  });

  test("puts that find no room fail one by one", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>({ maxSize: 2 });
    const results = await Promise.allSettled([1, 2, 3].map((n) => queue.put(n)));
    expect(
      results.map((result) => (result.status === "rejected" ? (result.reason as PqError).code : result.value.status)),
    ).toEqual(["added", "added", "QUEUE_FULL"]);
  });

  test("two puts of one id in a moment are one job", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    const id = newJobId();
    const results = await Promise.all([queue.put(1, { id }), queue.put(1, { id })]);
    expect(results).toEqual([
      { id, status: "added" },
      { id, status: "duplicate" },
    ]);
  });

  test("puts behind a dead store settle by their own deadline", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await queue.ready();
    t.always("put", silence);
    const first = errorOf(queue.put(1));
    await t.clock.advance(100);
    const second = errorOf(queue.put(2));
    await t.clock.advance(14_900);
    expect(await first).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    await t.clock.advance(100);
    expect(await second).toMatchObject({ code: "UNAVAILABLE" });
  });
});
