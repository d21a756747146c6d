/** A short run of tools/faults on MongoDB, what it leaves in the store, and the control. The long run is in packages/mongo/docs/faults.md. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { available, startMongo } from "@pq/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { brokenAt } from "../../packages/mongo/test/invariants.ts";
import { QUEUE } from "../faults/client/spec.ts";
import { runFaults } from "./faults-tool.ts";

/** Those that leave their data in a folder. */
const USING = ["program", "stand-in"] as const;
const mongo = await available("mongo", USING);
/** Of the control. */
const TRIES = 3;

describe.skipIf(!mongo.available)("queues on MongoDB under faults", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pq-faults-test-"));
  });

  afterAll(async () => rm(folder, { recursive: true }));

  it("keep every promise, and what they store agrees with itself", { timeout: 300_000 }, async () => {
    const kept = join(folder, "durable");
    const { code, output, facts } = await runFaults("mongo", kept, "--cuts", "20", "--restarts", "3");
    expect(code, output).toBe(0);
    expect(Object.values(facts.violations).every((count) => count === 0)).toBe(true);
    expect(facts.cuts).toBeGreaterThanOrEqual(20);
    expect(facts.restarts).toBeGreaterThanOrEqual(3);
    expect(facts.accepted).toBeGreaterThan(50);
    expect(await brokenIn(join(kept, "mongo"))).toEqual([]);
  });

  it(
    "lose jobs when the server loses what it has answered, and the checks see it",
    { timeout: 300_000 },
    async ({ skip }) => {
      const found = await weakRun();
      if (found === undefined) return skip(`in each of ${TRIES} runs the stand-in broke its own index`);
      const { code, output, facts } = found;
      expect(code, output).toBe(0);
      expect(facts.violations["lost"]).toBeGreaterThan(0);
    },
  );

  /** What was cut off may leave the stand-in with an index that names two documents, and it refuses every write of them then. Such a run shows nothing. */
  async function weakRun(): Promise<Awaited<ReturnType<typeof runFaults>> | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        return await runFaults("mongo", join(folder, `weak-${tries}`), "--cuts", "1", "--restarts", "4", "--weak");
      } catch (error) {
        if (!String(error).includes("Expected one element but got at least two")) throw error;
      }
    }
    return undefined;
  }
});

/** What does not agree in the data of a run that has ended. */
async function brokenIn(data: string): Promise<string[]> {
  const server = await startMongo({ using: USING, standalone: true, storage: "file" });
  try {
    await server.stop();
    await rm(server.folder ?? "", { recursive: true });
    await cp(data, server.folder ?? "", { recursive: true });
    await server.start();
    return await brokenAt(server.url, "pq", QUEUE, { brokenOff: true });
  } finally {
    await server.close();
  }
}
