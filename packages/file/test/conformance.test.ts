import { conformance, modelTest } from "@pq/core/testing";
import fc from "fast-check";
import { describe, it } from "vitest";
import { fileHarness } from "./harness.ts";

conformance(fileHarness("file"), { describe, it });

describe("model", () => {
  const harness = fileHarness("file", { durability: "process", reserveBytes: 0, segmentBytes: 64 * 1024 });
  it(
    "answers as the reference store",
    { timeout: 120_000 },
    async () => void (await modelTest(harness, fc, { runs: 100 })),
  );
});
