import { describe, expect, test } from "vitest";
import type { PutParams } from "../src/backend.ts";
import { Batcher } from "../src/batcher.ts";
import { PqError } from "../src/errors.ts";
import { newJobId } from "../src/id.ts";
import { ManualClock } from "../src/testing/index.ts";
import { errorOf, Gate, silence, TestBackend, turns } from "./support.ts";

interface Item {
  readonly id: string;
  readonly bytes?: number;
}

function setUp(send: (items: readonly Item[]) => Promise<readonly string[]>) {
  const clock = new ManualClock();
  const sent: string[][] = [];
  const batcher = new Batcher<Item, string>({
    clock,
    deadline: 1000,
    maxItems: 3,
    maxBytes: 100,
    idOf: ({ id }) => id,
    bytesOf: ({ bytes = 1 }) => bytes,
    send: (items) => {
      sent.push(items.map(({ id }) => id));
      return send(items);
    },
  });
  return { clock, batcher, sent };
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

describe("batched puts", () => {
  test("concurrent puts go in one call, in the order in which they were made", async () => {
    const t = new TestBackend();
    await using queue = t.queue<number>();
    await Promise.all(Array.from({ length: 50 }, (_, n) => queue.put(n)));
    expect(t.count("put")).toBe(1);
    const jobs = await queue.takeMany(50);
    expect(jobs.map(({ payload }) => payload)).toEqual(Array.from({ length: 50 }, (_, n) => n));
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
