/** A server whose memory is small, and one whose memory is full. */
import { newRequestId } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, describe, expect, test } from "vitest";
import { code, Dice, failure, newJob, newJobs, Site } from "./support.ts";

const there = await available("tarantool", "program");
const MB = 1024 * 1024;

describe.skipIf(!there.available)("the server's memory", () => {
  let site: Site;
  afterEach(async () => site?.close());

  test("is enough for a few jobs, whatever sizes there ever were", { timeout: 30_000 }, async () => {
    site = await Site.start({ walMode: "none", cfg: { memtx_memory: 128 * MB } });
    const seam = await site.queue();
    const dice = new Dice(1);
    // A step of less than 5 %: each size class of the server's allocator gets its turn.
    for (let size = 1; size <= MB; size = Math.ceil(size * 1.03)) {
      const job = newJob(Buffer.alloc(size, "x"), { keepResult: 1 });
      await seam.put(job);
      const [held] = await seam.take();
      const result = Buffer.alloc(dice.below(size), "r");
      const ack = { id: held!.id, fence: held!.fence, type: "ack" as const, result };
      expect([held!.payload.length, await seam.settle(ack)]).toEqual([size, ["done"]]);
    }
    expect((await seam.stats()).counters.ack).toBeGreaterThan(200);
  });

  test("is enough for takes of all sizes", { timeout: 30_000 }, async () => {
    site = await Site.start({ walMode: "none", cfg: { memtx_memory: 128 * MB } });
    const seam = await site.queue();
    await seam.putAll(newJobs(4000, { maxAttempts: 1000 }), 4000);
    for (let size = 100; size < 4000; size = Math.ceil(size * 1.06)) {
      const jobs = await seam.take(size);
      expect(jobs).toHaveLength(size);
      const back = jobs.map(({ id, fence }) => ({ id, fence, type: "release" as const, delay: 0 }));
      expect(new Set(await seam.settle(...back))).toEqual(new Set(["ready"]));
    }
  });

  test("is enough for long answers of all sizes, which are remembered whole", { timeout: 30_000 }, async () => {
    site = await Site.start({ walMode: "none", cfg: { memtx_memory: 128 * MB } });
    const seam = await site.queue();
    const [there] = newJobs(1, { key: "k" });
    await seam.put(there!);
    for (let size = 300; size < 5000; size = Math.ceil(size * 1.06)) {
      const jobs = [...newJobs(size, { key: "k" }), newJob("new")];
      const params = { request: newRequestId(), after: null, queue: "q", jobs, transaction: null };
      const put = (): Promise<unknown> => seam.backend.put({ ...params, maxSize: null, partial: false });
      const outcomes = [...jobs.slice(1).map(() => ({ status: "duplicate", id: there!.id })), { status: "added" }];
      expect(await put()).toEqual(outcomes);
      expect(await put()).toEqual(outcomes);
    }
  });

  test("is full: puts are refused with the remedy, nothing of them is stored, and takes and acks go on", async () => {
    site = await Site.start({ walMode: "none", cfg: { memtx_memory: 33 * MB } });
    const seam = await site.queue();
    const jobs = (count: number): ReturnType<typeof newJob>[] =>
      Array.from({ length: count }, () => newJob(Buffer.alloc(100_000, "x"), { group: "g", ttl: 600_000 }));
    let accepted = 0;
    const said = await eventually(async () => {
      const refused = await failure(seam.put(...jobs(10)).then(() => (accepted += 10)));
      expect(refused).not.toBe("it did not fail");
      return refused;
    });
    expect(said).toMatch(/^UNAVAILABLE: .*memory is full.*memtx_memory/);
    expect((await seam.stats()).ready).toBe(accepted);
    const { ready } = await seam.stats();
    for (let n = 0; n < 5; n++) {
      const [job] = await seam.take();
      expect(await seam.ack(job!)).toEqual(["gone"]);
    }
    expect((await seam.stats()).ready).toBe(ready - 5);
    // There is room again.
    expect(await code(seam.put(newJob("small")))).toBe("done");
    await seam.control("truncate");
    await eventually(async () => expect(await code(seam.put(...jobs(10)))).toBe("done"));
  });
});
