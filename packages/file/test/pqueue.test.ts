/** The test cases of the Python pqueue (P1 to P7), and what went wrong there (C1 to C9), on this store. */
import fs from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folder, job, jobs, numberOf, randomFrom, range, TestQueue } from "./support.ts";

const SEGMENT = "000000000001.log";

describe("cases", () => {
  it("P1 OpenCloseSingle", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(1));
    await queue.close();
    await queue.open();
    expect(await queue.size()).toBe(1);
    expect(await queue.drain()).toEqual([1]);
  });

  it("P2 OpenCloseOneHundred: a thousand jobs in order, then none, then again", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    for (let n = 0; n < 1000; n += 50) await queue.put(...jobs(n, n + 50));
    await queue.close();
    await queue.open();
    expect(await queue.size()).toBe(1000);
    expect(await queue.drain(7)).toEqual(range(0, 1000));
    expect(await queue.take()).toEqual([]);
    await queue.put(job(2000));
    expect(await queue.drain()).toEqual([2000]);
  });

  it("P3 PartialWrite: a copy of a record at the end of the log is not a job", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    for (const one of jobs(0, 100)) await queue.put(one);
    await queue.backend.crash();
    const path = join(tmp.path, SEGMENT);
    const bytes = await fs.readFile(path);
    await fs.appendFile(path, bytes.subarray(bytes.length - 170));
    await queue.open();
    expect(await queue.size()).toBe(100);
    expect(await queue.drain()).toEqual(range(0, 100));
  });

  it("P4 RandomReadWrite: empty exactly when the model is", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, durability: "process" });
    const random = randomFrom(4);
    const model: number[] = [];
    for (let n = 0; n < 1000; n++) {
      if (random(2) === 0) {
        await queue.put(job(n));
        model.push(n);
      } else {
        const taken = await queue.take();
        expect(taken.map(({ id }) => numberOf(id))).toEqual(model.splice(0, 1));
        if (taken.length > 0) await queue.ack(...taken);
      }
    }
  });

  it("P5 MultiThreaded: a producer and a consumer at once", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, durability: "process" });
    const consumed: number[] = [];
    const produce = async (): Promise<void> => {
      for (const one of jobs(0, 1000)) await queue.put(one);
    };
    const consume = async (): Promise<void> => {
      const { signal } = new AbortController();
      while (consumed.length < 1000) {
        await queue.backend.wait({ queue: "q", timeout: 10_000, signal });
        consumed.push(...(await queue.drain(10)));
      }
    };
    await Promise.all([produce(), consume()]);
    expect(consumed).toEqual(range(0, 1000));
    expect(await queue.take()).toEqual([]);
  });

  it("P6 GarbageOnHead: garbage where the next segment would be is put aside, and harms nothing", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(1));
    await queue.close();
    await fs.writeFile(join(tmp.path, "000000000002.log"), "garbage");
    await queue.open();
    await queue.put(job(2));
    expect(await queue.size()).toBe(2);
    expect(await queue.drain(1)).toEqual([1, 2]);
    expect(queue.events).toMatchObject([{ type: "damage" }]);
  });

  it("P7 ClearOldFile: what was taken and not acked is there after reopening, also over many segments", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, segmentBytes: 64 * 1024 });
    for (let n = 0; n < 15; n++) await queue.put(job(n, Buffer.alloc(20_000)));
    const taken = await queue.take(11, 60_000);
    await queue.close();
    await queue.open();
    expect(await queue.size()).toBe(15);
    await queue.ack(...taken);
    expect(await queue.size()).toBe(4);
  });
});

describe("defects that are absent", () => {
  it("C1: a put after a take does not commit the take", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(...jobs(0, 3));
    await queue.take();
    await queue.put(job(3));
    await queue.backend.crash();
    await queue.open();
    expect(await queue.size()).toBe(4);
  });

  it("C2: an ack is for one job, not for all that were taken", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(0), job(1));
    const [, second] = await queue.take(2);
    await queue.ack(second!);
    await queue.backend.crash();
    await queue.open();
    const { jobs: leased } = await queue.backend.read({ queue: "q", state: "leased", limit: 9, cursor: null });
    expect(leased.map(({ id }) => numberOf(id))).toEqual([0]);
  });

  it("C3: garbage behind the last record does not get in the way of what is put after it", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(0));
    await queue.close();
    await fs.appendFile(join(tmp.path, SEGMENT), "garbage that is longer than the head of a record");
    await queue.open();
    await queue.put(job(1));
    await queue.close();
    await queue.open();
    expect(await queue.drain()).toEqual([0, 1]);
  });

  it("C4: a put that fails half-way leaves nothing behind", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(0));
    const bad = { ...job(1), payload: "no bytes" as unknown as Uint8Array, headers: null as unknown as string };
    await expect(queue.put(job(5), bad)).rejects.toThrow();
    await queue.put(job(2));
    await queue.put(job(5), job(1));
    await queue.backend.crash();
    await queue.open();
    expect(await queue.drain()).toEqual([0, 2, 5, 1]);
  });

  it("C5: an empty, torn or missing index loses nothing (see the checkpoints in recovery.test.ts)", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(...jobs(0, 20));
    for (const spoil of [fs.rm, (path: string) => fs.writeFile(path, "")]) {
      await queue.close();
      await spoil(join(tmp.path, "checkpoint"));
      await queue.open();
      expect(await queue.ready()).toEqual(range(0, 20));
    }
  });

  it("C6: a log shorter than the index says gives what is there", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    for (const one of jobs(0, 20)) await queue.put(one);
    await queue.close();
    const path = join(tmp.path, SEGMENT);
    await fs.truncate(path, (await fs.stat(path)).size >>> 1);
    await queue.open();
    const found = await queue.drain();
    expect(found).toEqual(range(0, found.length));
    expect(found.length).toBeGreaterThan(5);
    await queue.put(job(50));
    expect(await queue.drain()).toEqual([50]);
  });

  it("C7: a folder has one owner", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(0));
    await expect(TestQueue.open({ path: tmp.path })).rejects.toMatchObject({ code: "LOCKED" });
  });

  it("C8: nothing is made outside the folder, so nothing is renamed across file systems", async () => {
    await using tmp = await folder();
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = "/nowhere";
    try {
      await using queue = await TestQueue.open({ path: tmp.path });
      await queue.put(job(0));
      await queue.close();
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
    expect((await fs.readdir(tmp.path)).toSorted()).toEqual([SEGMENT, "checkpoint", "lock"]);
  });

  it("C9: a checkpoint takes the place of the one before, and a log that was cut is gone on with", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    for (let n = 0; n < 5; n++) {
      await queue.put(job(n));
      await queue.close();
      await fs.appendFile(join(tmp.path, SEGMENT), "torn");
      await queue.open();
    }
    expect(await queue.drain()).toEqual(range(0, 5));
  });
});
