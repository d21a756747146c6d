import { modelTest } from "@pq/core/testing";
import { available, type RedisFlavour } from "@pq/services";
import fc from "fast-check";
import { describe, it } from "vitest";
import { redisHarness } from "./harness.ts";

/** How many sequences of calls. Each waits for real time; more of them by hand. */
const RUNS = Number(process.env["PQ_MODEL_RUNS"] ?? 30);
const flavours: readonly RedisFlavour[] = ["redis", "valkey"];

for (const flavour of flavours) {
  const there = await available(flavour, "program");
  describe.skipIf(!there.available)(flavour, () => {
    it("answers as the reference store", { timeout: 60_000 + RUNS * 2000 }, async ({ annotate }) => {
      const found = await modelTest(redisHarness({ name: flavour, flavour }), fc, { runs: RUNS, shrink: false });
      await annotate(`${found.runs} sequences, ${found.commands} calls, ${found.undecided} undecided`);
    });
  });
}
