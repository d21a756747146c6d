/** A short run of tools/faults on ZooKeeper, and the control that shows that it can fail. The long run is in packages/zk/docs/faults.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFaults } from "./faults-tool.ts";

const zk = await available("zk", "program");

describe.skipIf(!zk.available)("queues on ZooKeeper under faults", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pq-faults-test-"));
  });

  afterAll(async () => rm(folder, { recursive: true }));

  it("keep every promise", { timeout: 300_000 }, async () => {
    const { code, output, facts } = await runFaults("zk", join(folder, "durable"), "--cuts", "20", "--restarts", "3");
    expect(code, output).toBe(0);
    expect(Object.values(facts.violations).every((count) => count === 0)).toBe(true);
    expect(facts.cuts).toBeGreaterThanOrEqual(20);
    expect(facts.restarts).toBeGreaterThanOrEqual(3);
    expect(facts.accepted).toBeGreaterThan(100);
  });

  it("lose jobs when the server loses what it has answered, and the checks see it", { timeout: 300_000 }, async () => {
    const { code, output, facts } = await runFaults(
      "zk",
      join(folder, "weak"),
      "--cuts",
      "1",
      "--restarts",
      "3",
      "--weak",
    );
    expect(code, output).toBe(0);
    expect(facts.violations["lost"]).toBeGreaterThan(0);
  });
});
