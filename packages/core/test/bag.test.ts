import { describe, expect, test } from "vitest";
import { Bag } from "../src/bag.ts";

describe("bag", () => {
  test("has what was added and not deleted, whatever the order", () => {
    const bag = new Bag<{ name: string; place: number }>();
    const all = ["a", "b", "c", "d"].map((name) => ({ name, place: -1 }));
    const [a, b, c, d] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0], (typeof all)[0]];
    for (const one of all) bag.add(one);
    expect(bag.delete(b)).toBe(true);
    expect(bag.delete(d)).toBe(true);
    bag.add(b);
    expect(bag.size).toBe(3);
    expect(new Set(bag.toArray())).toEqual(new Set([a, b, c]));
    expect(all.map((one) => bag.has(one))).toEqual([true, true, true, false]);
    for (const one of [c, a, b]) expect(bag.delete(one)).toBe(true);
    expect(bag.toArray()).toEqual([]);
  });

  test("adding twice, and deleting what is not there, change nothing", () => {
    const bag = new Bag<{ place: number }>();
    const one = { place: -1 };
    const other = { place: -1 };
    bag.add(one);
    bag.add(one);
    expect(bag.delete(other)).toBe(false);
    expect(bag.toArray()).toEqual([one]);
    expect(bag.delete(one)).toBe(true);
    expect(bag.delete(one)).toBe(false);
    expect(bag.size).toBe(0);
  });
});
