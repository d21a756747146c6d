import { modelTest } from "@pq/core/testing";
import { available, type MongoServer, startMongo } from "@pq/services";
import fc from "fast-check";
import { afterAll, describe, it } from "vitest";
import { mongoCapabilities } from "../src/capabilities.ts";
import { openStore } from "./harness.ts";

/** How many sequences of calls. Each waits for real time; more of them by hand. */
const RUNS = Number(process.env["PQ_MODEL_RUNS"] ?? 3);
/**
 * Skipped unless PQ_MODEL_SEED gives a seed or `random`: two differences in the order of a take are open, { seed: 1, path: "0" } with 3 runs and
 * { seed: -1500033284, path: "0" } with 5.
 */
const GIVEN = process.env["PQ_MODEL_SEED"];
const SEED = GIVEN === undefined || GIVEN === "random" ? {} : { seed: Number(GIVEN) };
const there = await available("mongo");

describe.skipIf(!there.available)("mongo", () => {
  let server: MongoServer | undefined;
  afterAll(async () => server?.close());

  it.skipIf(GIVEN === undefined)(
    "answers as the reference store (two differences are open: PQ_MODEL_SEED=1)",
    { timeout: 120_000 + RUNS * 24_000 },
    async ({ annotate }) => {
      const harness = {
        name: "mongo",
        capabilities: mongoCapabilities,
        open: async () => openStore((server ??= await startMongo())),
      };
      const found = await modelTest(harness, fc, { runs: RUNS, shrink: false, tick: 5000, ...SEED });
      await annotate(`${found.runs} sequences, ${found.commands} calls, ${found.undecided} undecided`);
    },
  );
});
