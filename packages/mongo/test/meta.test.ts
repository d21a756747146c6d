import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepare } from "../src/meta.ts";
import { type Collections, indexes } from "../src/schema.ts";
import { PageStore } from "./page-store.ts";
import { code } from "./support.ts";

const there = await available("mongo", "stand-in");

describe.skipIf(!there.available)("opening a store", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  /** The names of the indexes that are there. */
  async function indexesOf(all: Collections): Promise<Record<string, string[]>> {
    const names = Object.keys(indexes) as (keyof Collections)[];
    const found = names.map(async (name) => {
      const there = await all[name].indexes().catch(() => []);
      return [name, there.map((index) => index.name ?? "").filter((index) => index !== "_id_")] as const;
    });
    return Object.fromEntries(await Promise.all(found));
  }

  const wanted = Object.fromEntries(
    Object.entries(indexes).map(([name, list]) => [name, list.map((index) => index.name ?? "")]),
  );

  test("makes what is missing, however often and by however many", async () => {
    const queue = store.unprepared();
    await Promise.all(Array.from({ length: 8 }, () => prepare(queue.call())));
    await prepare(queue.call());
    expect(await indexesOf(queue.all)).toEqual(wanted);
    expect(await queue.all.meta.find().toArray()).toEqual([{ _id: "format", version: 1 }]);
  });

  test("goes on where somebody has broken off", async () => {
    for (let commands = 1; commands < 10; commands++) {
      const queue = store.unprepared();
      await prepare(queue.call(commands)).catch(() => undefined);
      await prepare(queue.call());
      expect(await indexesOf(queue.all)).toEqual(wanted);
    }
  });

  test.each([
    ["newer", 2],
    ["unreadable", "1"],
  ])("refuses a %s format, and touches nothing", async (_, version) => {
    const queue = store.unprepared();
    await queue.all.meta.insertOne({ _id: "format", version: version as number });
    expect(await code(prepare(queue.call()))).toBe("INCOMPATIBLE_VERSION");
    expect(await queue.all.meta.find().toArray()).toEqual([{ _id: "format", version }]);
    expect(Object.values(await indexesOf(queue.all)).flat()).toEqual([]);
  });
});
