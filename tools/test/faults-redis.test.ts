/** A short run of tools/faults on Redis, and the control that shows that it can fail. The long run is in packages/redis/docs/faults.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFaults } from "./faults-tool.ts";

const redis = await available("redis", "program");

describe.skipIf(!redis.available)("queues on Redis under faults", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pq-faults-test-"));
  });

  afterAll(async () => rm(folder, { recursive: true }));

  it("keep every promise", { timeout: 180_000 }, async () => {
    const { code, output, facts } = await runFaults(
      "redis",
      join(folder, "durable"),
      "--cuts",
      "30",
      "--restarts",
      "6",
    );
    expect(code, output).toBe(0);
    expect(Object.values(facts.violations).every((count) => count === 0)).toBe(true);
    expect(facts.cuts).toBeGreaterThanOrEqual(30);
    expect(facts.restarts).toBeGreaterThanOrEqual(6);
    expect(facts.accepted).toBeGreaterThan(100);
  });

  it(
    "lose jobs when the server loses what it has not synced, and the checks see it",
    { timeout: 180_000 },
    async () => {
      const { code, output, facts } = await runFaults(
        "redis",
        join(folder, "weak"),
        "--cuts",
        "1",
        "--restarts",
        "3",
        "--weak",
      );
      expect(code, output).toBe(0);
      expect(facts.violations["lost"]).toBeGreaterThan(0);
    },
  );
});
