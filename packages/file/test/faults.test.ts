/** What single calls to the system may answer, made to happen one by one. */
import fs from "node:fs";
import { join } from "node:path";
import { systemClock } from "@pq/core/backend";
import { afterEach, describe, expect, it, vi } from "vitest";
import { folder, job, numberOf, range, TestQueue } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

type Callback = (error: Error) => void;

/** Every call of this kind fails with this error until the mocks are restored. */
function failing(name: "read" | "write", code: string): void {
  vi.spyOn(fs, name).mockImplementation((...args: unknown[]) => {
    (args.at(-1) as Callback)(systemError(code));
  });
}

describe("a disk that cannot be read for a while", () => {
  it("costs a lease, and no job", async () => {
    await using tmp = await folder();
    let now = 1_000_000;
    await using queue = await TestQueue.open({ path: tmp.path, clock: { ...systemClock, now: () => now } });
    await queue.put(job(1));
    await queue.close();
    await queue.open();
    failing("read", "EIO");
    expect(await queue.take(1, 100)).toEqual([]);
    expect(queue.events).toMatchObject([
      { type: "damage", message: "the disk cannot read a job; it stays where it is" },
    ]);
    vi.restoreAllMocks();
    now += 100;
    expect((await queue.take()).map(({ id, attempt }) => [numberOf(id), attempt])).toEqual([[1, 2]]);
  });
});

describe("a disk that cannot be written", () => {
  it("lets no promise go unheard when a damaged job is to be put aside", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(1));
    await queue.close();
    const log = join(tmp.path, "000000000001.log");
    const bytes = fs.readFileSync(log);
    const at = bytes.indexOf("payload 1");
    bytes[at] = bytes[at]! ^ 1;
    fs.writeFileSync(log, bytes);
    await queue.open();
    failing("write", "EIO");
    await expect(queue.take()).rejects.toThrow("EIO");
  });
});

describe("a settlement that cannot be written", () => {
  it("leaves its job, although the segment would be empty without", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, segmentBytes: 64 * 1024 });
    for (const n of range(0, 6)) await queue.put(job(n, Buffer.alloc(66_000)));
    const [first] = await queue.take();
    const write = fs.write.bind(fs) as (...args: unknown[]) => void;
    const started: (() => void)[] = [];
    vi.spyOn(fs, "write").mockImplementation((...args: unknown[]) => {
      if (started.length === 0) started.push(() => write(...args));
      else started.push(() => (args.at(-1) as Callback)(systemError("EIO")));
    });
    const put = queue.put(job(10));
    await expect.poll(() => started.length).toBe(1);
    const ack = queue.ack(first!);
    started[0]?.();
    await put;
    await expect.poll(() => started.length).toBeGreaterThan(1);
    for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(fs.readdirSync(tmp.path)).toContain("000000000001.log");
    for (const go of started.slice(1)) go();
    await expect(ack).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
    vi.restoreAllMocks();
    await queue.backend.crash();
    await queue.open();
    expect((await queue.backend.read({ queue: "q", ids: [first!.id] })).jobs).toHaveLength(1);
  });
});

describe("a power failure", () => {
  it("may leave the first segment with a size and no content: nothing was accepted yet", async () => {
    await using tmp = await folder();
    fs.writeFileSync(join(tmp.path, "000000000001.log"), Buffer.alloc(150));
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(1));
    await queue.backend.crash();
    await queue.open();
    expect(await queue.ready()).toEqual([1]);
  });

  it("that took the end of an unsynced log takes the checkpoint of it too, before the log grows again", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, durability: "process" });
    const log = join(tmp.path, "000000000001.log");
    await queue.put(job(0));
    const { size } = fs.statSync(log);
    for (const n of range(1, 10)) await queue.put(job(n));
    await queue.close();
    fs.truncateSync(log, size);
    await queue.open();
    for (const n of range(20, 40)) await queue.put(job(n));
    await queue.backend.crash();
    await queue.open();
    expect(await queue.ready()).toEqual([0, ...range(20, 40)]);
    expect(queue.events).toEqual([]);
  });
});

describe("a disk that is full, then broken", () => {
  it("tells it as an error of ours", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path, reserveBytes: 1 });
    const write = vi.spyOn(fs, "write").mockImplementationOnce((...args: unknown[]) => {
      (args.at(-1) as Callback)(systemError("ENOSPC"));
    });
    await expect(queue.put(job(1))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "the disk is full (ENOSPC)",
    });
    write.mockRestore();
    fs.rmSync(join(tmp.path, "reserve"), { force: true });
    failing("write", "EIO");
    await expect(queue.put(job(2))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
