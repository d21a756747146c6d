/** What single calls to the system may answer, made to happen one by one. */
import fs from "node:fs";
import { join } from "node:path";
import { systemClock } from "@pq/core/backend";
import { afterEach, describe, expect, it, vi } from "vitest";
import { folder, job, numberOf, TestQueue } from "./support.ts";

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
