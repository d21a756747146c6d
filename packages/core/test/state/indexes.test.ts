/** The index structures against the plainest thing that does the same. */
import { describe, expect, it } from "vitest";
import { IdIndex } from "../../src/state/id-index.ts";
import { formatJobId, parseWords } from "../../src/state/ids.ts";
import { JobTable } from "../../src/state/job-table.ts";
import { SlotList } from "../../src/state/slot-list.ts";
import { randomFrom, testId } from "./support.ts";

describe("a sorted list of slots", () => {
  it.each([1, 2, 3, 4])("keeps its order through adding and removing anywhere (seed %i)", (seed) => {
    const random = randomFrom(seed);
    const keys = Array.from({ length: 6000 }, () => random(500));
    const compare = (a: number, b: number): number => keys[a]! - keys[b]! || a - b;
    const list = new SlotList(compare);
    const inside = new Set<number>();
    for (let step = 0; step < 20_000; step++) {
      const slot = random(keys.length);
      if (inside.delete(slot)) list.remove(slot);
      else {
        inside.add(slot);
        list.add(slot);
      }
    }
    const expected = [...inside].sort(compare);
    expect([...list]).toEqual(expected);
    expect(list.size).toBe(expected.length);
    expect(list.first()).toBe(expected[0]);
    expect([...list.from((slot) => keys[slot]! - 250)]).toEqual(expected.filter((slot) => keys[slot]! > 250));
    for (const slot of expected) {
      expect(list.first()).toBe(slot);
      list.remove(slot);
    }
    expect(list.first()).toBe(-1);
  });

  it("refuses to remove what is not in it", () => {
    const list = new SlotList((a, b) => a - b);
    list.add(1);
    expect(() => list.remove(2)).toThrow("not in the list");
  });
});

describe("the index of ids", () => {
  it("finds what is in it and nothing else", () => {
    const random = randomFrom(5);
    const table = new JobTable();
    const index = new IdIndex(table);
    const slots = new Map<number, number>();
    const words = new Int32Array(4);
    for (let step = 0; step < 60_000; step++) {
      const n = random(20_000);
      parseWords(testId(n), words);
      const slot = slots.get(n);
      expect(index.find(words)).toBe(slot ?? -1);
      if (slot === undefined) {
        const made = table.allocate();
        table.setId(made, words);
        index.add(made);
        slots.set(n, made);
      } else {
        index.remove(slot);
        table.release(slot);
        slots.delete(n);
      }
    }
    expect(table.count).toBe(slots.size);
  });
});

describe("ids as words", () => {
  it("come back as they were", () => {
    const words = new Int32Array(4);
    for (const id of ["0193a5b0-1234-7abc-8def-0123456789ab", "ffffffff-ffff-ffff-ffff-ffffffffffff", testId(77)]) {
      parseWords(id, words);
      expect(formatJobId(words)).toBe(id);
    }
  });
});
