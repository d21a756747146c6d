/** A short run of tools/faults on Tarantool, and the control that shows that it can fail. The long run is in packages/tarantool/docs/faults.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFaults } from "./faults-tool.ts";

const tarantool = await available("tarantool", "program");

describe.skipIf(!tarantool.available)("queues on Tarantool under faults", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pq-faults-test-"));
  });

  afterAll(async () => rm(folder, { recursive: true }));

  it("keep every promise", { timeout: 180_000 }, async () => {
    const kept = join(folder, "durable");
    const { code, output, facts } = await runFaults("tarantool", kept, "--cuts", "12", "--restarts", "2");
    expect(code, output).toBe(0);
    expect(Object.values(facts.violations).every((count) => count === 0)).toBe(true);
    expect(facts.cuts).toBeGreaterThanOrEqual(12);
    expect(facts.restarts).toBeGreaterThanOrEqual(2);
    expect(facts.accepted).toBeGreaterThan(100);
  });

  it(
    "lose jobs when the server loses what it has not synced, and the checks see it",
    { timeout: 180_000 },
    async () => {
      const kept = join(folder, "weak");
      const { code, output, facts } = await runFaults("tarantool", kept, "--cuts", "1", "--restarts", "2", "--weak");
      expect(code, output).toBe(0);
      expect(facts.violations["lost"]).toBeGreaterThan(0);
    },
  );
});
