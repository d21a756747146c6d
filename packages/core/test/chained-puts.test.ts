/** Two puts of a queue in flight, and something goes wrong with one of them or both: order, nothing lost, nothing doubled. */
import { describe, expect, test } from "vitest";
import type { PutParams } from "../src/backend.ts";
import { isPqError, PqError } from "../src/errors.ts";
import type { Queue } from "../src/index.ts";
import { type Fate, Gate, lost, silence, TestBackend, turns, unavailable } from "./support.ts";

const BURST = 100;
const DEADLINE = 15_000;

/** What may become of a call, each made anew. Gates open after so many ms. */
const fates: Readonly<Record<string, (t: TestBackend) => Fate | undefined>> = {
  well: () => undefined,
  refused: () => unavailable,
  lost: () => lost,
  silent: () => silence,
  "answered late": (t) => ({ type: "late", gate: after(t, 7000) }),
  "carried out late": (t) => ({ type: "hold", gate: after(t, 7000) }),
};

function after(t: TestBackend, ms: number): Promise<void> {
  const gate = new Gate();
  t.clock.timer(ms, gate.open);
  return gate.opened;
}

/** A fate for each of the next puts; `undefined`: none. */
function fate(t: TestBackend, ...next: (Fate | undefined)[]): void {
  t.next("put", ...next.map((one) => one ?? ({ type: "late", gate: Promise.resolve() } satisfies Fate)));
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => from + n);
}

/** What is in the queue, in order. */
async function stored(queue: Queue<number>): Promise<number[]> {
  const taken: number[] = [];
  for (let jobs = await queue.takeMany(1000); jobs.length > 0; jobs = await queue.takeMany(1000)) {
    taken.push(...jobs.map(({ payload }) => payload));
  }
  return taken;
}

async function setUp() {
  const t = new TestBackend();
  const queue = t.queue<number>();
  await queue.ready();
  return { t, queue };
}

const pairs = Object.keys(fates).flatMap((first) => Object.keys(fates).map((second) => [first, second] as const));

describe("two puts in flight", () => {
  test.each(pairs)("the first %s, the second %s", async (first, second) => {
    const { t, queue } = await setUp();
    fate(t, fates[first]?.(t), fates[second]?.(t));
    const puts = Promise.all(numbers(BURST).map((n) => queue.put(n)));
    await turns();
    const [one, two] = t.params<PutParams>("put");
    expect([one?.jobs.length, two?.jobs.length, one?.after, two?.after]).toEqual([50, 50, null, one?.request]);
    await t.clock.advance(DEADLINE);
    expect((await puts).every(({ status }) => status === "added")).toBe(true);
    expect(await stored(queue)).toEqual(numbers(BURST));
    await queue.close();
  });

  test("when the first fails for good, the second goes on without it", async () => {
    const { t, queue } = await setUp();
    t.next("put", { type: "reject", error: new PqError("INCOMPATIBLE_VERSION", "no") });
    const puts = Promise.allSettled(numbers(BURST).map((n) => queue.put(n)));
    await t.clock.advance(DEADLINE);
    const statuses = (await puts).map(({ status }) => status);
    expect([...new Set(statuses.slice(0, 50)), ...new Set(statuses.slice(50))]).toEqual(["rejected", "fulfilled"]);
    expect(await stored(queue)).toEqual(numbers(50, 50));
    await queue.close();
  });

  test("a dead store: all puts settle by their deadline, those that it refused as not applied", async () => {
    const { t, queue } = await setUp();
    t.always("put", unavailable);
    const puts = Promise.allSettled(numbers(BURST).map((n) => queue.put(n)));
    await t.clock.advance(DEADLINE);
    for (const put of await puts) {
      expect(put).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE" } });
    }
    await queue.close();
  });

  test("go one after the other where each call is synced", async () => {
    const t = new TestBackend();
    t.guarantees = { durability: "disk", store: "memory", warnings: [] };
    const queue = t.queue<number>();
    await queue.ready();
    await Promise.all(numbers(BURST).map((n) => queue.put(n)));
    expect(t.params<PutParams>("put").map(({ jobs, after: before }) => [jobs.length, before])).toEqual([[BURST, null]]);
    await queue.close();
  });

  test("close waits for both", async () => {
    const { t, queue } = await setUp();
    fate(t, { type: "late", gate: after(t, 1000) }, { type: "late", gate: after(t, 2000) });
    const puts = Promise.all(numbers(BURST).map((n) => queue.put(n)));
    await turns();
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await t.clock.advance(1000);
    expect(closed).toBe(false);
    await t.clock.advance(1000);
    await closing;
    expect(await puts).toHaveLength(BURST);
  });

  test("bursts of all sizes with putMany between them, over a store that fails at random: what is stored is in order", async () => {
    // The numbers of Park and Miller: the same failures each time.
    let seed = 20_261;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const kinds = Object.values(fates);
    for (let round = 0; round < 60; round++) {
      const { t, queue } = await setUp();
      fate(t, ...numbers(12).map(() => (random(2) === 0 ? undefined : kinds[random(kinds.length)]?.(t))));
      const calls: { readonly numbers: number[]; readonly call: Promise<unknown> }[] = [];
      let next = 0;
      for (let burst = 0; burst < 4; burst++) {
        const size = 1 + random(250);
        if (random(4) === 0) {
          calls.push({ numbers: numbers(size, next), call: queue.putMany(numbers(size, next)) });
        } else {
          for (const n of numbers(size, next)) calls.push({ numbers: [n], call: queue.put(n) });
        }
        next += size;
        if (random(2) === 0) await t.clock.advance(random(3000));
      }
      const settling = Promise.allSettled(calls.map(({ call }) => call));
      await t.clock.advance(3 * DEADLINE);
      const results = await settling;
      const found = await stored(queue);
      expect(found, `round ${round}`).toEqual(found.toSorted((a, b) => a - b));
      expect(new Set(found).size).toBe(found.length);
      for (const [index, result] of results.entries()) {
        const count = calls[index]!.numbers.filter((n) => found.includes(n)).length;
        const isWhole = count === 0 || count === calls[index]!.numbers.length;
        expect(isWhole, `round ${round}`).toBe(true);
        if (result.status === "fulfilled") expect(count).toBeGreaterThan(0);
        else if (isPqError(result.reason, "UNAVAILABLE")) expect(count).toBe(0);
      }
      await queue.close();
    }
  });
});
