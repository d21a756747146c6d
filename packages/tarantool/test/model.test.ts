import { modelTest } from "@pq/core/testing";
import { available } from "@pq/services";
import fc from "fast-check";
import { describe, it } from "vitest";
import { tarantoolHarness } from "./harness.ts";

/** How many sequences of calls. Each waits for real time; more of them by hand. */
const RUNS = Number(process.env["PQ_MODEL_RUNS"] ?? 15);
/** To run the sequences of a failure again. */
const SEED = process.env["PQ_MODEL_SEED"];
const there = await available("tarantool", "program");

describe.skipIf(!there.available)("tarantool", () => {
  it("answers as the reference store", { timeout: 60_000 + RUNS * 8000 }, async ({ annotate }) => {
    const seed = SEED === undefined ? {} : { seed: Number(SEED) };
    const options = { runs: RUNS, shrink: false, ...seed };
    const found = await modelTest(tarantoolHarness({ name: "tarantool" }), fc, options);
    await annotate(`${found.runs} sequences, ${found.commands} calls, ${found.undecided} undecided`);
  });
});
