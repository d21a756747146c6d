/** How the suite runs a rule: what it opens, closes, bounds and skips. */
import assert, { AssertionError } from "node:assert/strict";
import { describe, it } from "vitest";
import type { Backend } from "../src/backend.ts";
import { conformance, runRule } from "../src/testing/conformance.ts";
import { eventually } from "../src/testing/eventually.ts";
import type { Harness, TestStore } from "../src/testing/harness.ts";
import { ManualClock } from "../src/testing/manual-clock.ts";
import { referenceHarness } from "../src/testing/reference/harness.ts";
import type { Rule } from "../src/testing/rule.ts";
import { skewed } from "../src/testing/skewed-clock.ts";
import { override } from "./mutants/helpers.ts";

function rule(run: Rule["run"], needs: Rule["needs"] = {}): Rule {
  return { id: "test.rule", title: "a rule", promise: "seam", needs, run };
}

/** The reference with a list of what was closed. */
function recorded(): { readonly harness: Harness; readonly closed: string[] } {
  const closed: string[] = [];
  const wrap = (backend: Backend): Backend =>
    override(backend, {
      close() {
        closed.push("backend");
        return backend.close();
      },
    });
  const inner = referenceHarness({ wrap });
  const open = async (): Promise<TestStore> => {
    const store = await inner.open();
    return { ...store, close: () => Promise.resolve(void closed.push("store")) };
  };
  return { harness: { ...inner, open }, closed };
}

describe("runRule", () => {
  it("closes what the rule opened, the store last, also when it failed", async () => {
    for (const fails of [false, true]) {
      const { harness, closed } = recorded();
      const run = runRule(
        rule(async (t) => {
          await t.backend();
          await t.queue().put("left open");
          if (fails) assert.fail("as it should");
        }),
        harness,
      );
      await (fails ? assert.rejects(run, /as it should/) : run);
      assert.equal(closed.at(-1), "store");
      assert.ok(closed.filter((what) => what === "backend").length >= 2);
    }
  });

  it("fails a rule that does not end", async () => {
    const run = runRule(
      rule(() => new Promise(() => undefined)),
      referenceHarness(),
      { bound: 20 },
    );
    await assert.rejects(
      run,
      (error) => error instanceof AssertionError && /did not come to an end/.test(error.message),
    );
  });

  it("ends the faults that a rule left behind", async () => {
    for (const fault of ["halfOpen", "pause"] as const) {
      const run = rule(async (t) => {
        await t.queue().put("one");
        t.store.faults[fault]?.();
      });
      await runRule(run, referenceHarness());
    }
  });

  it("lets time pass while it closes what waits for a timer", async () => {
    const stubborn = rule(async (t) => {
      const queue = t.queue<string>();
      await queue.put("work");
      await new Promise<void>((resolve) => {
        queue.work(() => {
          resolve();
          return new Promise(() => undefined);
        });
      });
    });
    await runRule(stubborn, referenceHarness(), { bound: 5_000 });
  });

  it("fails when closing fails", async () => {
    const { harness } = recorded();
    const open = async (): Promise<TestStore> => ({
      ...(await harness.open()),
      close: () => Promise.reject(new Error("the folder is still locked")),
    });
    await assert.rejects(
      runRule(
        rule(() => Promise.resolve()),
        { ...harness, open },
      ),
      /still locked/,
    );
  });
});

describe("conformance", () => {
  /** What would be registered for this rule. */
  function registered(one: Rule, harness: Harness, withSkip: boolean): string[] {
    const titles: string[] = [];
    const register = (kind: string) => (title: string) => void titles.push(`${kind} ${title}`);
    const run = register("run");
    const framework = {
      describe: (_: string, body: () => void) => body(),
      it: withSkip ? Object.assign(run, { skip: register("skip") }) : run,
    };
    conformance(harness, framework, [one]);
    return titles;
  }

  it("skips what a capability, a missing fault or missing transactions rule out, and says why", () => {
    const reference = referenceHarness();
    const simple = { ...reference, capabilities: { ...reference.capabilities, groups: false } };
    const calm = { ...reference, missingFaults: { pause: "it has no process" } };
    const [grouped, paused] = [
      rule(() => Promise.resolve(), { capability: "groups" }),
      rule(() => Promise.resolve(), { faults: ["cut", "pause"] }),
    ];
    assert.deepEqual(registered(grouped, reference, true), ["run test.rule: a rule"]);
    const reason = "(not applicable: capabilities.groups is false)";
    assert.deepEqual(registered(grouped, simple, true), [`skip test.rule: a rule ${reason}`]);
    assert.deepEqual(registered(grouped, simple, false), [`run test.rule: a rule ${reason}`]);
    const why = "(not applicable: no pause: it has no process)";
    assert.deepEqual(registered(paused, calm, true), [`skip test.rule: a rule ${why}`]);
    const standalone = { ...reference, missingTransactions: "it is a single server" };
    const transactional = rule(() => Promise.resolve(), { capability: "transactions" });
    assert.deepEqual(registered(transactional, reference, true), ["run test.rule: a rule"]);
    const cause = "(not applicable: no transactions: it is a single server)";
    assert.deepEqual(registered(transactional, standalone, true), [`skip test.rule: a rule ${cause}`]);
  });
});

describe("eventually", () => {
  it("tries until it no longer fails, and gives what it got", async () => {
    let tries = 0;
    const check = (): number => (++tries < 3 ? assert.fail("not yet") : tries);
    assert.equal(await eventually(check), 3);
  });

  it("gives up with the last failure", async () => {
    let tries = 0;
    const check = (): never => assert.fail(`try ${++tries}`);
    await assert.rejects(eventually(check, { patience: 15 }), (error: Error) => error.message === `try ${tries}`);
  });
});

describe("skewed", () => {
  it("shows another time of day, and the same durations", async () => {
    const clock = new ManualClock();
    const wrong = skewed(clock, -5_000);
    let fired = 0;
    wrong.timer(100, () => fired++);
    await clock.advance(100);
    assert.deepEqual([wrong.now(), wrong.monotonic(), fired], [clock.now() - 5_000, 100, 1]);
  });
});
