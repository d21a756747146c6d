/** A short run of tools/faults on Redis, and the control that shows that it can fail. The long run is in packages/redis/docs/faults.md. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { available } from "@pq/services";
import { describe, expect, it } from "vitest";
import type { Figures } from "../faults/figures.ts";

/** What is read of the figures of a run. */
type Facts = Figures & { readonly cuts: number; readonly restarts: number };

const redis = await available("redis", "program");
/** A run that failed is made again with its seed. */
const seed = process.env["PQ_FAULTS_SEED"] ?? String(Math.floor(Math.random() * 1e9));

describe.skipIf(!redis.available)("queues on Redis under faults", () => {
  it("keep every promise", { timeout: 180_000 }, async () => {
    const { code, output, facts } = await run("--cuts", "30", "--restarts", "6");
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
      const { code, output, facts } = await run("--cuts", "1", "--restarts", "3", "--weak");
      expect(code, output).toBe(0);
      expect(facts.violations["lost"]).toBeGreaterThan(0);
    },
  );
});

async function run(...words: readonly string[]): Promise<{ code: number; output: string; facts: Facts }> {
  const folder = await mkdtemp(join(tmpdir(), "pq-faults-test-"));
  const json = join(folder, "figures.json");
  console.log(`faults: seed ${seed} (PQ_FAULTS_SEED repeats it)`);
  try {
    const tool = join(import.meta.dirname, "../run.mjs");
    const { code, output } = await execute([tool, "faults", "redis", "--seed", seed, "--json", json, ...words]);
    const facts = JSON.parse(await readFile(json, "utf8").catch(() => Promise.reject(new Error(output)))) as Facts;
    return { code, output, facts };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function execute(words: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, words, { maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
    });
  });
}
