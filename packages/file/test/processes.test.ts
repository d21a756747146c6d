/** Real processes: who owns a folder, and what SIGKILL leaves. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ManualClock } from "@pq/core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { compileChild } from "./compiled.ts";
import { folder, randomFrom, TestQueue } from "./support.ts";

const ROUNDS = Number(process.env["PQ_FILE_KILLS"] ?? 100);
const compiled = compileChild();
afterAll(() => compiled.remove());

/** A child, and the lines it has said. */
class Child {
  readonly lines: string[] = [];
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #opened: Promise<void>;

  constructor(command: string, path: string, seed = 0) {
    this.process = spawn(process.execPath, [compiled.program, command, path, String(seed)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: this.process.stdout! });
    this.#ended = Promise.all([once(this.process, "exit"), once(lines, "close")]);
    this.#opened = new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        this.lines.push(line);
        if (line === "open") resolve();
      });
      this.process.once("exit", () => reject(new Error("the child ended before it was open")));
    });
  }

  opened(): Promise<void> {
    return this.#opened;
  }

  /** All lines that were said are there when it resolves. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#ended;
  }

  /** Wait for so many more lines. */
  async linesMore(count: number): Promise<void> {
    const until = this.lines.length + count;
    while (this.lines.length < until) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The ids in the lines that start with this word. */
  ids(word: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${word} `)).flatMap((line) => line.split(" ").slice(1));
  }
}

describe("the lock", { timeout: 30_000 }, () => {
  it("keeps another process out and names the owner", async () => {
    await using tmp = await folder();
    const owner = new Child("hold", tmp.path);
    await owner.opened();
    const refusal = { code: "LOCKED", message: `${tmp.path} is in use by the process with pid ${owner.process.pid}` };
    await expect(TestQueue.open({ path: tmp.path })).rejects.toMatchObject(refusal);
    await owner.kill();
  });

  it("goes with its owner, whatever killed it", async () => {
    await using tmp = await folder();
    const owner = new Child("hold", tmp.path);
    await owner.opened();
    await owner.kill();
    await using queue = await TestQueue.open({ path: tmp.path });
    expect(await queue.size()).toBe(0);
  });

  it("stays with an owner that stands still", async () => {
    await using tmp = await folder();
    const owner = new Child("hold", tmp.path);
    await owner.opened();
    owner.process.kill("SIGSTOP");
    await expect(TestQueue.open({ path: tmp.path })).rejects.toMatchObject({ code: "LOCKED" });
    await owner.kill();
  });

  it("keeps a second backend of the same process out", async () => {
    await using tmp = await folder();
    await using first = await TestQueue.open({ path: tmp.path });
    await expect(TestQueue.open({ path: tmp.path })).rejects.toMatchObject({
      code: "LOCKED",
      message: `${tmp.path} is in use by this process (pid ${process.pid})`,
    });
    await first.close();
    await using second = await TestQueue.open({ path: tmp.path });
    expect(await second.size()).toBe(0);
  });

  it("is not kept by children of the owner", async () => {
    await using tmp = await folder();
    const first = await TestQueue.open({ path: tmp.path });
    const child = spawn("sleep", ["30"], { stdio: "ignore" });
    await first.close();
    await using second = await TestQueue.open({ path: tmp.path });
    expect(await second.size()).toBe(0);
    child.kill("SIGKILL");
  });
});

describe("SIGKILL under load", () => {
  it(`loses no accepted job and brings no acked job back, ${ROUNDS} times`, { timeout: 120_000 }, async () => {
    await using tmp = await folder();
    const random = randomFrom(7);
    let alive = new Set<string>();
    const undecided = new Set<string>();
    for (let round = 1; round <= ROUNDS; round++) {
      // A new folder now and then, so that the backlog does not grow for ever.
      const path = join(tmp.path, String(Math.floor(round / 10)));
      if (round % 10 === 0) alive = new Set();
      const child = new Child("load", path, round);
      await child.opened();
      await child.linesMore(random(60));
      await child.kill();
      for (const id of child.ids("put")) alive.add(id);
      for (const id of child.ids("acking")) undecided.add(id);
      const acked = new Set(child.ids("acked"));
      for (const id of acked) alive.delete(id);
      const present = await idsOf(path);
      expect(
        [...acked].filter((id) => present.has(id)),
        `acked jobs back in round ${round}`,
      ).toEqual([]);
      expect(
        [...alive].filter((id) => !present.has(id) && !undecided.has(id)),
        `lost in round ${round}`,
      ).toEqual([]);
      expect(child.ids("event"), `round ${round}`).toEqual([]);
      for (const id of alive) if (!present.has(id)) alive.delete(id);
      undecided.clear();
    }
    expect(alive.size).toBeGreaterThan(0);
  });
});

/** Every job in the folder. No lease ends while they are listed, since the clock stands still. */
async function idsOf(path: string): Promise<Set<string>> {
  const clock = new ManualClock(Date.now());
  await using queue = await TestQueue.open({ path, clock, segmentBytes: 64 * 1024 });
  const ids = new Set<string>();
  for (const state of ["ready", "leased"] as const) {
    let cursor: string | null = null;
    do {
      const page = await queue.backend.read({ queue: "q", state, limit: 5000, cursor });
      for (const { id, payload } of page.jobs) {
        expect(Buffer.from(payload).toString().startsWith(id)).toBe(true);
        ids.add(id);
      }
      cursor = page.cursor;
    } while (cursor !== null);
  }
  expect(queue.events).toEqual([]);
  await queue.backend.crash();
  return ids;
}
