import { describe, expect, it } from "vitest";
import { Answers, recall, REPEAT_WINDOW } from "../../src/state/index.ts";
import { randomFrom, testRequest } from "./support.ts";

describe("remembered answers", () => {
  it("are given again as values, as promises, and by functions", async () => {
    const answers = new Answers();
    answers.remember(testRequest(1), 0, 1, ["gone"]);
    answers.remember(testRequest(2), 0, 1, Promise.resolve(["lost"]));
    answers.remember(testRequest(3), 0, 3, recall(["gone", "gone", "gone"]));
    expect(answers.find(testRequest(1))).toEqual(["gone"]);
    await expect(answers.find(testRequest(2))).resolves.toEqual(["lost"]);
    expect(answers.find(testRequest(3))).toEqual(["gone", "gone", "gone"]);
    expect(answers.find(testRequest(4))).toBeUndefined();
  });

  it("are forgotten when they are too old, or too many", () => {
    const answers = new Answers();
    answers.remember(testRequest(0), 0, 1, "a");
    answers.remember(testRequest(1), REPEAT_WINDOW.ms - 1, 1, "b");
    expect(answers.find(testRequest(0))).toBe("a");
    answers.remember(testRequest(2), REPEAT_WINDOW.ms, 1, "c");
    expect(answers.find(testRequest(0))).toBeUndefined();
    for (let n = 3; n < 3 + REPEAT_WINDOW.calls; n++) answers.remember(testRequest(n), REPEAT_WINDOW.ms, 1, "d");
    expect(answers.find(testRequest(2))).toBeUndefined();
    expect([...answers]).toHaveLength(REPEAT_WINDOW.calls);
  });

  it("leave out of the recent ones what is still on its way, and what is large", () => {
    const answers = new Answers();
    answers.remember(testRequest(1), 5, 1, recall("known"));
    answers.remember(testRequest(2), 5, 1, Promise.resolve("on its way"));
    answers.remember(testRequest(3), 5, 1_000, "large");
    expect(answers.recent()).toEqual([[testRequest(1), 5, 1, "known"]]);
  });

  it.each([1, 2, 3])("are forgotten by a restored copy when the original forgets them (seed %i)", (seed) => {
    const random = randomFrom(seed);
    const original = new Answers();
    let copy = new Answers();
    for (let step = 0, now = 0; step < 2_000; step++) {
      // The clock may also go back.
      now += random(600) - 100;
      const request = testRequest(random(3_000));
      const items = random(20) === 0 ? 300_000 : 1 + random(50);
      for (const answers of [original, copy]) {
        if (step % 17 === 0) answers.forget(request);
        else answers.remember(request, now, items, [step, items]);
      }
      if (step % 100 === 0) {
        const restored = new Answers();
        restored.restore(structuredClone([...copy]));
        copy = restored;
        expect([...copy]).toEqual([...original]);
      }
    }
    expect([...copy]).toEqual([...original]);
  });
});
