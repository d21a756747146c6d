import { modelTest } from "@pq/core/testing";
import { available, startZk, type ZkServer } from "@pq/services";
import fc from "fast-check";
import { afterAll, describe, it } from "vitest";
import { zkCapabilities } from "../src/capabilities.ts";
import { openStore } from "./harness.ts";

/** How many sequences of calls. Each waits for real time; more of them by hand. */
const RUNS = Number(process.env["PQ_MODEL_RUNS"] ?? 3);
/** To run the sequences of a failure again. */
const SEED = process.env["PQ_MODEL_SEED"];
const there = await available("zk");

describe.skipIf(!there.available)("zk", () => {
  let server: ZkServer | undefined;
  afterAll(async () => server?.close());

  it("answers as the reference store", { timeout: 120_000 + RUNS * 24_000 }, async ({ annotate }) => {
    const harness = {
      name: "zk",
      capabilities: zkCapabilities,
      open: async () => openStore((server ??= await startZk())),
    };
    const found = await modelTest(harness, fc, {
      runs: RUNS,
      shrink: false,
      tick: 5000,
      ...(SEED !== undefined && { seed: Number(SEED) }),
    });
    await annotate(`${found.runs} sequences, ${found.commands} calls, ${found.undecided} undecided`);
  });
});
