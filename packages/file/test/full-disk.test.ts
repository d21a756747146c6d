/** A disk that is full, and one that fails. */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { newRequestId } from "@pq/core/backend";
import { afterAll, describe, expect, it } from "vitest";
import { compileChild } from "./compiled.ts";
import { folder, job, jobs, numberOf, TestQueue } from "./support.ts";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const hasStrace = spawnSync("strace", ["-V"]).status === 0;

/** A file system of its own of this size. */
async function smallDisk(size: string): Promise<{ readonly path: string } & AsyncDisposable> {
  const tmp = await folder();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "pq-test", tmp.path]);
  return {
    path: tmp.path,
    async [Symbol.asyncDispose]() {
      execFileSync("umount", [tmp.path]);
      await tmp[Symbol.asyncDispose]();
    },
  };
}

const payload = Buffer.alloc(2000, "x");

/** Put single jobs until one is refused; the numbers of those accepted. */
async function fill(queue: TestQueue, start: number): Promise<{ accepted: number[]; error: unknown }> {
  const accepted: number[] = [];
  for (let n = start; ; n++) {
    try {
      await queue.put(job(n, payload));
      accepted.push(n);
    } catch (error) {
      return { accepted, error };
    }
  }
}

describe.skipIf(!isRoot)("a full disk (needs root on Linux, to mount a small one)", () => {
  it("refuses puts as not applied, lets consumers go on, and takes puts again when there is room", async () => {
    await using disk = await smallDisk("2m");
    const path = join(disk.path, "store");
    await using queue = await TestQueue.open({ path, reserveBytes: 128 * 1024, segmentBytes: 64 * 1024 });
    const { accepted, error } = await fill(queue, 0);
    expect(error).toMatchObject({ code: "UNAVAILABLE", message: "the disk is full (ENOSPC)" });
    expect(accepted.length).toBeGreaterThan(100);
    const again = await fill(queue, 1_000_000);
    expect(again.error).toMatchObject({ code: "UNAVAILABLE" });
    expect(again.accepted.length).toBeLessThan(10);
    const all = [...accepted, ...again.accepted];
    expect(await queue.size()).toBe(all.length);
    expect(await queue.drain(10)).toEqual(all);
    await queue.put(job(9_000_000));
    await queue.backend.crash();
    await queue.open();
    expect(await queue.ready()).toEqual([9_000_000]);
    expect(queue.events).toEqual([]);
  });

  it("harms nothing that was accepted, when the process ends just then", async () => {
    await using disk = await smallDisk("2m");
    const path = join(disk.path, "store");
    await using queue = await TestQueue.open({ path, reserveBytes: 128 * 1024, segmentBytes: 64 * 1024 });
    const { accepted } = await fill(queue, 0);
    await queue.backend.crash();
    await queue.open();
    expect(queue.events).toEqual([]);
    expect(await queue.drain()).toEqual(accepted);
  });

  it("refuses a batch as a whole", async () => {
    await using disk = await smallDisk("2m");
    const path = join(disk.path, "store");
    await using queue = await TestQueue.open({ path, reserveBytes: 128 * 1024, segmentBytes: 64 * 1024 });
    await queue.put(...jobs(0, 10));
    const batch = Array.from({ length: 50 }, (_, i) => job(100 + i, Buffer.alloc(60_000)));
    await expect(queue.put(...batch)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await queue.drain()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await queue.put(job(200));
    expect(await queue.drain()).toEqual([200]);
  });

  it("refuses consumers when the reserve is used up too, breaks nothing, and lets them go on when there is room", async () => {
    await using disk = await smallDisk("2m");
    const ballast = join(disk.path, "ballast");
    fs.writeFileSync(ballast, Buffer.alloc(600_000));
    await using queue = await TestQueue.open({ path: join(disk.path, "store"), reserveBytes: 128 * 1024 });
    const { accepted } = await fill(queue, 0);
    const [held] = await queue.take();
    if (held === undefined) throw new Error("a take gave nothing");
    const progress = Buffer.alloc(4000);
    const touch = (): Promise<readonly boolean[]> =>
      queue.backend.touch({
        request: newRequestId(),
        queue: "q",
        items: [{ id: held.id, fence: held.fence, lease: 60_000, progress }],
      });
    const useUp = async (): Promise<void> => {
      for (let n = 0; n < 1000; n++) await touch();
    };
    await expect(useUp()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "the disk is full, and the reserve is used up",
    });
    fs.rmSync(ballast);
    expect(await touch()).toEqual([true]);
    await queue.ack(held);
    expect(await queue.drain()).toEqual(accepted.slice(1));
  });
});

describe.skipIf(!hasStrace)("a disk that fails (needs strace, to make it fail)", () => {
  const compiled = compileChild();
  afterAll(() => compiled.remove());

  it(
    "is final for the writer: the write that failed is unknown, all later calls are refused, until the store is opened anew",
    { timeout: 60_000 },
    async () => {
      await using tmp = await folder();
      const inject = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=pwrite64",
        "-e",
        "inject=pwrite64:error=EIO:when=20+",
      ];
      const { stdout } = spawnSync("strace", [...inject, process.execPath, compiled.program, "fail", tmp.path], {
        encoding: "utf8",
      });
      const lines = stdout.trim().split("\n");
      const put = lines.filter((line) => line.startsWith("put ")).map((line) => line.slice(4));
      expect(put.length).toBeGreaterThan(5);
      expect(lines.slice(-4)).toEqual([
        "failed OUTCOME_UNKNOWN",
        "put-again UNAVAILABLE",
        "take UNAVAILABLE",
        "closed",
      ]);
      await using queue = await TestQueue.open({ path: tmp.path });
      const taken = await queue.take(1000);
      expect(
        taken
          .map(({ id }) => numberOf(id))
          .toSorted((a, b) => a - b)
          .slice(0, put.length),
      ).toEqual(put.map((id) => numberOf(id as Parameters<typeof numberOf>[0])));
      expect(fs.existsSync(join(tmp.path, "damaged"))).toBe(false);
    },
  );
});
