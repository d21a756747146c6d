import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, it } from "vitest";
import { conformance } from "../src/testing/conformance.ts";
import type { Harness } from "../src/testing/harness.ts";
import { ManualClock } from "../src/testing/manual-clock.ts";
import { modelTest } from "../src/testing/model.ts";
import { SeamFaults } from "../src/testing/seam-faults.ts";
import { SnapshotBackend, snapshotCapabilities } from "./guide/snapshot.ts";

const harness: Harness = {
  name: "the guide's example",
  capabilities: snapshotCapabilities,
  async open() {
    const folder = await mkdtemp(join(tmpdir(), "snapshot-"));
    const clock = new ManualClock();
    // Nothing to do at a restart: the new object knows what is in the file, and nothing else.
    const faults = new SeamFaults({ restart: () => undefined });
    const backend = faults.wrap(() => new SnapshotBackend(join(folder, "queues"), { clock }));
    return {
      clock,
      faults,
      connect: () => backend,
      pass: (ms) => clock.advance(ms),
      close: () => rm(folder, { recursive: true }),
    };
  },
};

conformance(harness, { describe, it });

it("behaves as the reference store", { timeout: 60_000 }, async () => {
  await modelTest(harness, fc, { runs: 100 });
});
