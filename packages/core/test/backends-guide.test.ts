import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
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
      async pass(ms) {
        await faults.idle();
        await clock.advance(ms);
      },
      close: () => rm(folder, { recursive: true }),
    };
  },
};

it("is in the guide as it is here", async () => {
  const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), "utf8");
  const [, section = ""] = (await read("../docs/backends.md")).split("\n## A complete backend\n");
  const [example = ""] = section.split("\n## ");
  const blocks = [...example.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(blocks.join("\n")).toBe(await read("guide/snapshot.ts"));
});

conformance(harness, { describe, it });

it("behaves as the reference store", { timeout: 60_000 }, async () => {
  await modelTest(harness, fc, { runs: 100 });
});
