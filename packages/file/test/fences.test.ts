import { expect, it } from "vitest";
import { Fences } from "../src/fences.ts";

/** What a store that opens again knows: the epoch in its log, and the fences it still finds there. */
function reopened(epoch: number, found: readonly number[]): Fences {
  const fences = new Fences(4);
  fences.seenEpoch(epoch);
  for (const fence of found) fences.seen(fence);
  fences.begin();
  return fences;
}

it("grows with every delivery, also where an epoch is used up", () => {
  const fences = reopened(0, []);
  const given = Array.from({ length: 20 }, () => fences.next());
  expect(given).toEqual([...new Set(given)].toSorted((a, b) => a - b));
});

it.each([0, 1, 2, 3, 4, 5, 9])("grows across an opening that lost the last of %i deliveries", (deliveries) => {
  const before = reopened(0, []);
  const epoch = before.epoch;
  const given = Array.from({ length: deliveries }, () => before.next());
  for (let lost = 0; lost <= Math.min(3, deliveries); lost++) {
    const after = reopened(epoch, given.slice(0, deliveries - lost));
    expect(after.next()).toBeGreaterThan(given.at(-1) ?? 0);
  }
});

it("stays exact for more openings than a folder will ever see", () => {
  const fences = new Fences();
  fences.seenEpoch(2 ** 28);
  fences.begin();
  expect(Number.isSafeInteger(fences.next())).toBe(true);
});
