/** What is on disk when the store opens: cut, damaged, missing, foreign. */
import fs from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crc32c, formatJobId, PENDING } from "@pq/core/state";
import { Damage } from "../src/damage.ts";
import { FrameCursor, segmentSeed } from "../src/frame.ts";
import { Layout, SEGMENT_HEADER } from "../src/layout.ts";
import { recover } from "../src/opening.ts";
import { decodeHeader } from "../src/segment.ts";
import { folder, job, jobs, numberOf, range, TestQueue } from "./support.ts";

const SEGMENT = "000000000001.log";

/** The content of a crashed store with ten jobs in single puts, two in one put, and one acked. */
async function sample(path: string): Promise<Buffer> {
  const queue = await TestQueue.open({ path, durability: "process" });
  for (let n = 0; n < 10; n++) await queue.put(job(n));
  await queue.put(job(10), job(11));
  await queue.ack(...(await queue.take()));
  await queue.backend.crash();
  return fs.readFile(join(path, SEGMENT));
}

/** A store on these bytes alone. */
async function openOn(path: string, bytes: Uint8Array): Promise<TestQueue> {
  await fs.rm(path, { recursive: true, force: true });
  await fs.mkdir(path);
  await fs.writeFile(join(path, SEGMENT), bytes);
  return TestQueue.open({ path, durability: "process" });
}

/** What recovery finds in these bytes: the numbers of the jobs, and the reports. Without the lock, which would take most of the time. */
async function recoverFrom(path: string, bytes: Uint8Array): Promise<{ numbers: number[]; reports: string[] }> {
  await fs.rm(path, { recursive: true, force: true });
  await fs.mkdir(path);
  await fs.writeFile(join(path, SEGMENT), bytes);
  const layout = new Layout(path);
  const reports: string[] = [];
  const { knowledge } = await recover(layout, new Damage(layout, ({ type }) => void reports.push(type)));
  const table = knowledge.queues.get("q")?.jobs.table;
  const slots = range(0, table?.limit ?? 0).filter((slot) => (table?.state(slot) ?? 0) > PENDING);
  const numbers = slots.map((slot) => numberOf(formatJobId(table?.id(slot, new Int32Array(4)) ?? new Int32Array(4))));
  return { numbers: numbers.toSorted((a, b) => a - b), reports };
}

/** The frames of a segment: where they stand. */
function framesOf(bytes: Buffer): { start: number; end: number; type: number }[] {
  const cursor = new FrameCursor(bytes, segmentSeed(decodeHeader(bytes, 1, "") ?? 0, 1));
  const frames = [];
  for (let at = SEGMENT_HEADER; cursor.check(at) === "frame"; at = cursor.end) {
    frames.push({ start: at, end: cursor.end, type: cursor.type });
  }
  return frames;
}

describe("a torn log", () => {
  it("keeps every whole record, whatever the length it was cut to", { timeout: 60_000 }, async () => {
    await using tmp = await folder();
    const bytes = await sample(tmp.path);
    const frames = framesOf(bytes);
    const ends = frames.filter(({ type }) => type === 3).map(({ end }) => end);
    const ackEnd = frames.find(({ type }) => type === 5)?.end ?? 0;
    for (let length = 0; length < bytes.length; length++) {
      const { numbers, reports } = await recoverFrom(join(tmp.path, "cut"), bytes.subarray(0, length));
      const singles = ends.slice(0, 10).filter((end) => end <= length).length;
      const expected = [...range(0, singles), ...(length >= (ends[10] ?? 0) ? [10, 11] : [])];
      expect(numbers, `cut to ${length}`).toEqual(expected.filter((n) => n > 0 || length < ackEnd));
      expect(reports, `cut to ${length}`).toEqual([]);
    }
  });

  it("goes on after the cut", async () => {
    await using tmp = await folder();
    const bytes = await sample(tmp.path);
    const path = join(tmp.path, "cut");
    const queue = await openOn(path, bytes.subarray(0, bytes.length - 7));
    await queue.put(job(20));
    await queue.backend.crash();
    await queue.open();
    expect(await queue.ready()).toEqual([...range(1, 12), 20]);
    await queue.close();
  });
});

describe("a flipped bit", () => {
  it("harms the record that it is in and no other, and is reported", { timeout: 120_000 }, async () => {
    await using tmp = await folder();
    const bytes = await sample(tmp.path);
    const frames = framesOf(bytes);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << (at % 8);
      const { numbers, reports } = await recoverFrom(join(tmp.path, "flip"), damaged);
      const frame = frames.findIndex(({ start, end }) => start <= at && at < end);
      const jobFrames = frames.filter(({ type }) => type === 2);
      const hit = jobFrames.indexOf(frames[frame] ?? { start: 0, end: 0, type: 0 });
      const acked = frames[frame]?.type === 5 ? [] : [0];
      const lost = hit < 0 ? acked : [...acked, hit];
      expect(numbers, `bit in byte ${at}`).toEqual(range(0, 12).filter((n) => !lost.includes(n)));
      expect(reports, `bit in byte ${at}`).toEqual(frame < 0 ? [] : ["damage"]);
    }
  });

  it("is reported once, and counted in the warnings of each opening", async () => {
    await using tmp = await folder();
    const bytes = await sample(tmp.path);
    const target = framesOf(bytes).find(({ type }) => type === 2);
    bytes[(target?.end ?? 0) - 1]! ^= 1;
    const path = join(tmp.path, "flip");
    const queue = await openOn(path, bytes);
    expect(queue.events).toHaveLength(1);
    expect(await fs.readdir(join(path, "damaged"))).toHaveLength(1);
    await queue.backend.crash();
    await queue.open();
    expect(queue.events).toHaveLength(1);
    const { warnings } = await queue.backend.open({ report: () => undefined });
    expect(warnings.join()).toContain("1 damaged parts");
    await queue.close();
  });

  it("in a payload that is only met at a take puts that job aside, and the take goes on", async () => {
    await using tmp = await folder();
    const queue = await TestQueue.open({ path: tmp.path, segmentBytes: 64 * 1024 });
    await queue.put(...jobs(0, 20));
    await queue.close();
    const path = join(tmp.path, SEGMENT);
    const bytes = await fs.readFile(path);
    bytes[bytes.indexOf("payload 7")]! ^= 1;
    await fs.writeFile(path, bytes);
    await queue.open();
    expect(await queue.drain(8)).toEqual(range(0, 20).filter((n) => n !== 7));
    expect(queue.events).toMatchObject([{ type: "damage", queue: "q" }]);
    expect(await queue.size()).toBe(0);
    await queue.close();
    await fs.rm(join(tmp.path, "checkpoint"));
    await queue.open();
    expect(await queue.size()).toBe(0);
    await queue.close();
  });
});

describe("a payload that looks like a record", () => {
  it("is not taken for one when the log around it is damaged", async () => {
    await using tmp = await folder();
    const bytes = await sample(join(tmp.path, "inner"));
    const queue = await TestQueue.open({ path: join(tmp.path, "outer") });
    await queue.put(job(100, bytes));
    await queue.put(job(101));
    await queue.backend.crash();
    const path = join(tmp.path, "outer", SEGMENT);
    const outer = await fs.readFile(path);
    const target = framesOf(outer).find(({ type }) => type === 2);
    outer[(target?.start ?? 0) + 20]! ^= 1;
    await fs.writeFile(path, outer);
    await queue.open();
    expect(await queue.ready()).toEqual([101]);
    await queue.close();
  });
});

describe("a checkpoint", () => {
  const spoil: [string, (path: string) => Promise<void>][] = [
    ["missing", (path) => fs.rm(path)],
    ["empty", (path) => fs.truncate(path, 0)],
    ["torn", async (path) => fs.truncate(path, (await fs.stat(path)).size - 20)],
    ["all zeros", async (path) => fs.writeFile(path, Buffer.alloc((await fs.stat(path)).size))],
    ["garbage", (path) => fs.writeFile(path, "garbage")],
  ];

  it.each(spoil)("that is %s loses nothing", async (_, act) => {
    await using tmp = await folder();
    const queue = await TestQueue.open({ path: tmp.path });
    await queue.put(...jobs(0, 50));
    await queue.ack(...(await queue.take(10)));
    await queue.close();
    await act(join(tmp.path, "checkpoint"));
    await queue.open();
    expect(await queue.ready()).toEqual(range(10, 50));
    expect(queue.events).toEqual([]);
    await queue.close();
  });

  it("that is old is made up for by the log", async () => {
    await using tmp = await folder();
    const checkpoint = join(tmp.path, "checkpoint");
    const queue = await TestQueue.open({ path: tmp.path });
    await queue.put(...jobs(0, 50));
    await queue.close();
    const old = await fs.readFile(checkpoint);
    await queue.open();
    await queue.ack(...(await queue.take(10)));
    await queue.put(job(50));
    await queue.close();
    await fs.writeFile(checkpoint, old);
    await queue.open();
    expect(await queue.ready()).toEqual(range(10, 51));
    await queue.close();
  });

  it("gives a key to the job that holds it, not to one before it whose result is kept", async () => {
    await using tmp = await folder();
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(1), job(2, "two", { key: "k", keepResult: 60_000 }));
    // The room of the first is free, so the new holder stands before the old one in the checkpoint.
    const [first, second] = await queue.take(2);
    await queue.ack(first!);
    expect(
      await queue.settle({ id: second!.id, fence: second!.fence, type: "ack", result: Buffer.from("done") }),
    ).toEqual(["done"]);
    const holder = job(3, "three", { key: "k" });
    expect(await queue.put(holder)).toEqual([{ status: "added" }]);
    await queue.close();
    await queue.open();
    expect(await queue.put(job(4, "four", { key: "k" }))).toEqual([{ status: "duplicate", id: holder.id }]);
  });

  it("of another store is not believed", async () => {
    await using tmp = await folder();
    const [a, b] = [join(tmp.path, "a"), join(tmp.path, "b")];
    await using one = await TestQueue.open({ path: a });
    await using two = await TestQueue.open({ path: b });
    await one.put(job(1));
    await two.put(job(2));
    await one.close();
    await two.close();
    await fs.copyFile(join(a, "checkpoint"), join(b, "checkpoint"));
    await two.open();
    expect(await two.ready()).toEqual([2]);
  });

  it("is used: what stands before it is not read again", async () => {
    await using tmp = await folder();
    const queue = await TestQueue.open({ path: tmp.path });
    await queue.put(...jobs(0, 5));
    await queue.close();
    const path = join(tmp.path, SEGMENT);
    const bytes = await fs.readFile(path);
    bytes[bytes.indexOf("payload 3")]! ^= 1;
    await fs.writeFile(path, bytes);
    await queue.open();
    expect(queue.events).toEqual([]);
    await queue.close();
  });
});

describe("what is not ours", () => {
  it("is refused when its format is newer", async () => {
    await using tmp = await folder();
    const bytes = await sample(tmp.path);
    for (const start of [0, 32]) {
      bytes.writeUInt32LE(2, start + 8);
      bytes.writeUInt32LE(crc32c(bytes, start, start + 28), start + 28);
    }
    const path = join(tmp.path, "newer");
    await expect(openOn(path, bytes)).rejects.toMatchObject({ code: "INCOMPATIBLE_VERSION" });
    expect(await fs.readFile(join(path, SEGMENT))).toEqual(bytes);
  });

  it("is refused and left alone when it only has the name of a segment", async () => {
    await using tmp = await folder();
    const path = join(tmp.path, "foreign");
    const bytes = Buffer.from("2026-11-20 12:00:00 server started, and so on, and so on, and so on, and so on\n");
    await expect(openOn(path, bytes)).rejects.toMatchObject({ code: "CORRUPT" });
    expect(await fs.readFile(join(path, SEGMENT))).toEqual(bytes);
  });

  it("does not matter under other names", async () => {
    await using tmp = await folder();
    await fs.writeFile(join(tmp.path, "notes.txt"), "mine");
    await using queue = await TestQueue.open({ path: tmp.path });
    await queue.put(job(1));
    expect(await fs.readFile(join(tmp.path, "notes.txt"), "utf8")).toBe("mine");
  });
});

describe("the folder", () => {
  it("is for its owner alone", async () => {
    await using tmp = await folder();
    const path = join(tmp.path, "deep", "store");
    await using queue = await TestQueue.open({ path });
    await queue.put(job(1));
    expect((await fs.stat(path)).mode & 0o777).toBe(0o700);
    for (const name of await fs.readdir(path)) expect((await fs.stat(join(path, name))).mode & 0o777, name).toBe(0o600);
  });
});
