import { expect, it } from "vitest";
import { CheckFailure, failed, passed, runCheck, type Check } from "../check/check.ts";

const good: Check = { name: "good", run: async () => passed("fine") };

it("does not run a check when one that it needs has failed", async () => {
  const result = await runCheck({ ...good, needs: ["build"] }, [failed("build", "broken")], { fix: false });
  expect(result).toMatchObject({ passed: 0, failed: 1, output: "Not run, because this failed: build" });
});

it("runs it when that one has passed", async () => {
  const build = await runCheck({ ...good, name: "build" }, [], { fix: false });
  expect(await runCheck({ ...good, needs: ["build"] }, [build], { fix: false })).toMatchObject({
    passed: 1,
    failed: 0,
  });
});

it("lets a failed check speak for itself, and shows where any other error came from", async () => {
  const failing = async (error: Error): Promise<string> =>
    (await runCheck({ name: "bad", run: async () => Promise.reject(error) }, [], { fix: false })).output;
  expect(await failing(new CheckFailure("what is wrong"))).toBe("what is wrong");
  expect(await failing(new Error("a bug"))).toContain("check.test.ts");
});
