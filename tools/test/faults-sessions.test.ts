/** The checks of tools/faults where leases are tied to sessions, on histories made by hand. */
import { describe, expect, it } from "vitest";
import type { PutJob } from "../faults/event.ts";
import { Story } from "./faults-story.ts";

const job = (id: string): PutJob => ({ id, maxAttempts: 3 });

describe("who holds a job where leases are tied to sessions, which last 300 ms", () => {
  /** Signs of the worker at these moments, and a job that it gets at 1100, for 1900 ms. */
  const given = (...signs: readonly number[]): Story => {
    const signed = signs.reduce(
      (story, at) => story.put([job(`sign-${at}`)], at, {}, "worker").remains(`sign-${at}`),
      new Story(300),
    );
    return signed.put([job("a")], 1000).deliver("a", 1, 1100, { until: 3000 });
  };
  const comesAgain = (story: Story, at: number): Story =>
    story.deliver("a", 2, at, { process: "other" }).settle("a", 2, 3100);
  const signs = [500, 700, 900, 1100, 1300] as const;

  it("two, as long as there are signs of the first", () => {
    expect(comesAgain(given(...signs), 1590).broken()).toEqual(["second holder"]);
    expect(comesAgain(given(...signs, 1500, 1700), 1990).broken()).toEqual(["second holder"]);
  });

  it("not two, once there has been no sign of the first for so long", () => {
    expect(comesAgain(given(...signs), 1601).broken()).toEqual([]);
  });

  it("not two, when there was none for so long, and the library did not know yet", () => {
    expect(
      comesAgain(given(...signs, 1900, 2100), 2200)
        .hold("a", 1, 2300)
        .broken(),
    ).toEqual([]);
    expect(comesAgain(given(1050, 1200), 1300).broken()).toEqual([]);
  });
});
