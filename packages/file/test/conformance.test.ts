import { conformance, modelTest } from "@pq/core/testing";
import fc from "fast-check";
import { describe, it } from "vitest";
import { fileHarness } from "./harness.ts";

conformance(fileHarness("file"), { describe, it });

describe("model", () => {
  const harness = fileHarness("file", { durability: "process", reserveBytes: 0, segmentBytes: 64 * 1024 });
  // A failure says its seed; shrinking it can take longer than the test may.
  const options = { shrink: false };

  it("answers as the reference store", { timeout: 120_000 }, async () => {
    await modelTest(harness, fc, { ...options, runs: 100 });
  });

  // The order of a repeated take after a checkpoint; a put without room repeated after a restart; a key after a checkpoint.
  it.each([684, 7, 523966814])(
    "still does with seed %i, which once found a difference",
    { timeout: 60_000 },
    async (seed) => {
      await modelTest(harness, fc, { ...options, runs: 70, seed });
    },
  );
});
