/** The suite, tested: each rule passes on the reference store (conformance.test.ts) and fails on a store with its mistake. */
import assert, { AssertionError } from "node:assert/strict";
import { afterAll, describe, it } from "vitest";
import { runRule } from "../src/testing/conformance.ts";
import { referenceHarness } from "../src/testing/reference/harness.ts";
import { rules } from "../src/testing/rules/index.ts";
import { mutants } from "./mutants/index.ts";
import type { Mutant } from "./mutants/mutant.ts";

/** A mutant may make a rule wait for what never comes: real time for that is short. */
const IMPATIENT = { bound: 2_000, patience: 100 };

const caught = new Set<Mutant>();

function concernOf(id: string): string {
  return id.slice(0, id.indexOf("."));
}

/** Concern, rules, mutants, caught: one line for each concern, and the sum. */
function table(): string {
  const line = (name: string, matches: (id: string) => boolean): string => {
    const own = mutants.filter(({ rule }) => matches(rule));
    const figures = [
      rules.filter(({ id }) => matches(id)).length,
      own.length,
      own.filter((one) => caught.has(one)).length,
    ];
    return name.padEnd(12) + figures.map((figure) => String(figure).padStart(9)).join("");
  };
  const concerns = [...new Set(rules.map(({ id }) => concernOf(id)))];
  return [
    `${"concern".padEnd(12)}    rules  mutants   caught`,
    ...concerns.map((concern) => line(concern, (id) => concernOf(id) === concern)),
    line("all", () => true),
  ].join("\n");
}

afterAll(() => {
  // eslint-disable-next-line no-console -- the table is what people run this file for
  console.log(table());
});

describe("the rules", () => {
  it("are 120 or more", () => {
    assert.ok(rules.length >= 120, `there are ${rules.length}`);
  });

  it("have ids of their own, which begin with their concern", () => {
    assert.equal(new Set(rules.map(({ id }) => id)).size, rules.length, "two rules have one id");
    for (const { id } of rules) assert.match(id, /^[a-z]+\.[a-z][a-z0-9-]*$/);
  });

  it("each have a mutant, and each mutant has its rule", () => {
    const tested = new Set(mutants.map(({ rule }) => rule));
    const known = new Set(rules.map(({ id }) => id));
    assert.deepEqual(
      [...known].filter((id) => !tested.has(id)),
      [],
      "rules without a mutant",
    );
    assert.deepEqual(
      [...tested].filter((id) => !known.has(id)),
      [],
      "mutants without a rule",
    );
  });
});

describe.concurrent("a store that", () => {
  for (const mutant of mutants) {
    it(`${mutant.bug} fails ${mutant.rule}`, async () => {
      const rule = rules.find(({ id }) => id === mutant.rule);
      assert.ok(rule);
      await assert.rejects(runRule(rule, referenceHarness(mutant), IMPATIENT), AssertionError);
      caught.add(mutant);
    });
  }
});
