/** Segments that go, and jobs that stay. */
import fs from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { folder, job, numberOf, range, TestQueue } from "./support.ts";

const SMALL = { segmentBytes: 64 * 1024 };
const text = (n: number): Buffer => Buffer.from(`payload ${n}`);

async function segments(path: string): Promise<string[]> {
  return (await fs.readdir(path)).filter((name) => name.endsWith(".log")).toSorted();
}

/** Put and ack so many jobs of 5,000 bytes. */
async function churn(queue: TestQueue, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 10) {
    await queue.put(...range(n, n + 10).map((one) => job(one, Buffer.alloc(5000), { priority: -1 })));
    await queue.ack(...(await queue.take(10)));
  }
}

describe("compaction", () => {
  it("drops segments in which nothing lives", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, ...SMALL });
    await churn(queue, 1000, 500);
    await expect.poll(() => segments(tmp.path).then((names) => names.length)).toBeLessThan(5);
    expect(await segments(tmp.path)).not.toContain("000000000001.log");
  });

  it("moves what stays with what has become of it, and nothing that was acked comes back", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, ...SMALL });
    await queue.put(
      job(1, text(1), { group: "g", key: "k" }),
      job(2, text(2), { due: { in: 1e9 } }),
      job(3, text(3)),
      job(4, text(4)),
    );
    const [leased, , buried] = await queue.take(3, 1e9);
    await queue.settle({ id: buried!.id, fence: buried!.fence, type: "bury", error: "why" });
    await churn(queue, 1000, 1000);
    await expect.poll(() => segments(tmp.path)).not.toContain("000000000001.log");
    await queue.backend.crash();
    await queue.open();
    const shown = async (state: "ready" | "delayed" | "leased" | "buried"): Promise<unknown> => {
      const { jobs } = await queue.backend.read({ queue: "q", state, limit: 10, cursor: null });
      return jobs.map(({ id, payload, attempt, fence, key, lastError }) => [
        numberOf(id),
        Buffer.from(payload).toString(),
        attempt,
        fence,
        key,
        lastError,
      ]);
    };
    expect(await shown("delayed")).toEqual([[2, "payload 2", 0, 0, null, null]]);
    expect(await shown("buried")).toEqual([[4, "payload 4", 1, buried!.fence, null, "why"]]);
    expect(await shown("leased")).toEqual([
      [1, "payload 1", 1, leased!.fence, "k", null],
      [3, "payload 3", 1, leased!.fence + 1, null, null],
    ]);
    expect(await queue.settle({ id: leased!.id, fence: leased!.fence, type: "ack", result: null })).toEqual(["gone"]);
    expect(queue.events).toEqual([]);
  });

  it("keeps the log within twice of what lives, and some segments", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, ...SMALL });
    for (let n = 0; n < 60; n++) await queue.put(job(n, Buffer.alloc(5000)));
    await churn(queue, 1000, 1000);
    const most = 2 * Math.ceil((60 * 5200) / SMALL.segmentBytes) + 8;
    await expect.poll(() => segments(tmp.path).then((names) => names.length)).toBeLessThan(most);
    expect((await queue.take(100)).map(({ id }) => numberOf(id))).toEqual(range(0, 60));
  });

  it("survives a crash at any moment", { timeout: 60_000 }, async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, ...SMALL, durability: "process" });
    for (let n = 0; n < 20; n++) await queue.put(job(n, text(n)));
    for (let round = 1; round <= 40; round++) {
      const churning = churn(queue, round * 1000, 200).catch(() => undefined);
      for (let turn = 0; turn < round * 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      await queue.backend.crash();
      await churning;
      await queue.open();
      const kept = (await queue.backend.read({ queue: "q", state: "ready", limit: 10_000, cursor: null })).jobs;
      expect(kept.map(({ id }) => numberOf(id)).filter((n) => n < 1000)).toEqual(range(0, 20));
      const { jobs: leased } = await queue.backend.read({ queue: "q", state: "leased", limit: 10_000, cursor: null });
      const rest = [...kept, ...leased].map(({ id }) => id).filter((id) => numberOf(id) >= 1000);
      await queue.backend.control({
        request: `${round}`.padStart(32, "0") as never,
        queue: "q",
        type: "delete",
        ids: rest,
      });
      expect(queue.events).toEqual([]);
    }
  });
});
