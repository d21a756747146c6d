/** Cutting the log, on a real server: what stays, what goes, who does it, and what is left when it ends half-way. */
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { newRequestId } from "@pq/core/backend";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUCKET, entryNumber, Paths, type QueuePaths } from "../src/paths.ts";
import { encodeEntry } from "../src/draft.ts";
import { sealInline } from "../src/entry.ts";
import { readEntry } from "../src/log-reader.ts";
import { Replica } from "../src/replica.ts";
import { loadSnapshot, publishSnapshot, snapshotPosition } from "../src/snapshot.ts";
import { Tidier, type TidierContext } from "../src/tidier.ts";
import { EPHEMERAL, PERSISTENT, SEQUENTIAL, type ZkClient } from "../src/zk-client.ts";
import { ZkError } from "../src/zk-error.ts";
import { newJob, newJobs, type Raw, type Seam, Site, texts, treeOf } from "./support.ts";

const { available: isThere } = await available("zk");
const LARGE = 300 * 1024;
let queues = 0;

describe.skipIf(!isThere)("a tidier", () => {
  let site: Site;
  let raw: Raw;

  beforeAll(async () => {
    site = await Site.start({ fsync: false });
    raw = await site.raw();
  });
  afterAll(() => site.close());

  /** A queue of its own, and where it is. */
  async function open(): Promise<{ seam: Seam; paths: QueuePaths; name: string }> {
    const name = `t${queues++}`;
    return { seam: await site.queue(name), paths: new Paths(site.root).queue(name), name };
  }

  /** The queue as somebody knows it who goes on from the snapshot, or from this replica, with all entries that are there. */
  async function follow(paths: QueuePaths, name: string, from: Replica | null = null): Promise<Replica> {
    const replica = from ?? (await loadSnapshot(raw.zk, paths, name)) ?? new Replica(name);
    for (let bucket = Math.floor(replica.position / BUCKET); ; bucket++) {
      const created = (await raw.zk.exists(paths.bucket(bucket)))?.created ?? 0;
      const end = bucket * BUCKET + Math.min(created, BUCKET);
      for (let { position } = replica; position < end; position++) {
        const read = await readEntry(raw.zk, paths, position);
        if (read?.head) replica.apply({ position, time: read.time, head: read.head, page: read.page });
      }
      if (created < BUCKET) break;
      replica.position = end;
    }
    return replica;
  }

  function tidierOf(paths: QueuePaths, replica: Replica, more: Partial<TidierContext> = {}): Tidier {
    const member = newRequestId();
    return new Tidier({
      paths, restricted: false, use: () => raw.zk, member: () => member, replica: () => replica, ...more,
    }); // prettier-ignore
  }

  async function names(path: string): Promise<string[]> {
    return ((await raw.zk.children(path)) ?? []).toSorted();
  }

  /** An entry that does nothing. */
  async function make(paths: QueuePaths): Promise<void> {
    const { content } = encodeEntry(newRequestId(), []);
    await raw.zk.create(paths.newEntry(0), sealInline(content), SEQUENTIAL);
  }

  /** Half of these jobs are gone, one is leased, and some are in parts. */
  async function fill(seam: Seam): Promise<void> {
    await seam.put(newJob("x".repeat(LARGE)), newJob("y".repeat(LARGE)));
    await seam.put(...newJobs(20));
    await seam.ack(...(await seam.take(1)));
    await seam.put(newJob("z".repeat(LARGE)));
    await seam.put(...newJobs(5, { priority: -1 }));
    await seam.ack(...(await seam.take(5)));
    await seam.put(newJob("!".repeat(LARGE * 4), { priority: -1 }));
    await seam.ack(...(await seam.take(1)));
    await seam.take(1);
  }

  /** All that a process sees that comes anew. */
  async function seen(name: string): Promise<unknown> {
    const fresh = await site.queue(name);
    const [ready, leased, stats] = [await fresh.list("ready"), await fresh.list("leased"), await fresh.stats()];
    await fresh.backend.close();
    return { ready: texts(ready), leased: texts(leased), stats };
  }

  it("keeps the entries and parts of jobs, and deletes all others", async () => {
    const { seam, paths, name } = await open();
    await fill(seam);
    const before = await seen(name);
    const replica = await follow(paths, name);
    const parts = await names(paths.parts);
    const tidier = tidierOf(paths, replica);
    expect(await tidier.tidy()).toBe(true);
    expect(await snapshotPosition(raw.zk, paths)).toBe(replica.position);
    expect(await names(paths.bucket(0))).toEqual([0, 1, 4].map((number) => `e${String(number).padStart(10, "0")}`));
    expect(await names(paths.parts)).toHaveLength(2);
    expect(parts.length).toBeGreaterThan(3);
    expect(await raw.zk.exists(paths.tidying)).toBeNull();
    expect(tidier.progress).toEqual({
      phase: "idle",
      attempts: 1,
      published: 1,
      deleted: replica.position - 3 + parts.length - 2,
    });
    expect(await seen(name)).toEqual(before);
    // Nothing has come since: there is nothing to do.
    expect(await tidier.tidy()).toBe(false);
  });

  it("whose work ends at any step leaves all jobs, and the next one finishes", { timeout: 30_000 }, async () => {
    const { seam, paths, name } = await open();
    await fill(seam);
    const before = await seen(name);
    let writes = 0;
    for (let most = 0; ; most++) {
      const replica = await follow(paths, name);
      writes = 0;
      const broken = breaking(raw.zk, () => writes++ < most);
      const done = await tidierOf(paths, replica, { use: () => broken }).tidy();
      await raw.zk.delete(paths.tidying);
      // What a fresh process sees who reads only what is there.
      const again = await follow(paths, name);
      expect(again.stats()).toEqual(replica.stats());
      if (done) break;
      expect(await seen(name)).toEqual(before);
      // None lacks its parts: whoever follows would take it for damaged.
      for (const entry of await names(paths.bucket(0))) {
        expect(await readEntry(raw.zk, paths, entryNumber(entry))).toMatchObject({ head: {} });
      }
      // One more entry, so that there is something to do again.
      await seam.touch(1);
    }
    expect(writes).toBeGreaterThan(3);
    expect(await seen(name)).toEqual(before);
    const tree = await treeOf(raw.zk, paths.base);
    expect(tree.filter((path) => path.startsWith(`${paths.snapshots}/`))).toHaveLength(1);
    expect(await names(paths.parts)).toHaveLength(2);
    expect(await names(paths.bucket(0))).toHaveLength(3);
  });

  it("lets a follower that lags behind go on from the snapshot", async () => {
    const { seam, paths, name } = await open();
    await seam.put(...newJobs(3));
    const lagging = await site.queue(name);
    await lagging.stats();
    const old = await loadSnapshot(raw.zk, paths, name);
    expect(old).toBeNull();
    for (let round = 0; round < 3; round++) {
      await fill(seam);
      expect(await tidierOf(paths, await follow(paths, name)).tidy()).toBe(true);
      expect(await lagging.stats()).toEqual(await seam.stats());
    }
    await lagging.put(newJob("last", { priority: 9 }));
    expect(texts(await seam.list("ready")).at(-1)).toBe("last");
    expect(texts(await seam.list("ready"))).toEqual(texts(await lagging.list("ready")));
  });

  it(
    "cuts what is in use, over the end of a bucket, and nothing is lost or done twice",
    { timeout: 30_000 },
    async () => {
      const { seam, paths, name } = await open();
      const others = [seam, await site.queue(name), await site.queue(name)];
      await seam.put(newJob("stays", { priority: 5 }));
      const done: string[] = [];
      const numbers = Array.from({ length: 200 }).keys();
      const end = new AbortController();
      const work = async (queue: Seam): Promise<void> => {
        for (const number of numbers) {
          await queue.put(newJob(number % 30 === 0 ? `${number} ${"x".repeat(LARGE)}` : `${number} `));
          for (const job of await queue.take(1)) {
            done.push(Buffer.from(job.payload).toString().split(" ")[0] ?? "");
            expect(await queue.ack(job)).toEqual(["gone"]);
          }
        }
      };
      // So that the end of the first bucket comes soon.
      await Promise.all(Array.from({ length: 850 }, () => make(paths)));
      const replica = await follow(paths, name);
      const tidier = tidierOf(paths, replica);
      const working = Promise.all(others.map(work)).finally(() => end.abort());
      while (!end.signal.aborted) {
        await tidier.tidy();
        await follow(paths, name, replica);
      }
      await working;
      expect(done.toSorted()).toEqual(Array.from({ length: 200 }, (_, at) => String(at)).toSorted());
      expect(replica.position).toBeGreaterThan(BUCKET);
      expect(tidier.progress.published).toBeGreaterThan(1);
      await seam.touch(1);
      await follow(paths, name, replica);
      expect(await tidier.tidy()).toBe(true);
      expect(await names(paths.parts)).toEqual([]);
      expect(await names(paths.bucket(0))).toHaveLength(1);
      expect(others.flatMap(({ backend }) => backend.events.filter(({ type }) => type === "damage"))).toEqual([]);
      expect(await seen(name)).toMatchObject({ ready: ["stays"] });
    },
  );

  it("deletes buckets that are passed, with what never counted in them, and no other", async () => {
    const { seam, paths, name } = await open();
    await seam.put(newJob("stays"));
    const replica = await follow(paths, name);
    for (const bucket of [1, 2, 3, 4]) await raw.zk.create(paths.bucket(bucket), Buffer.alloc(0), PERSISTENT);
    for (const bucket of [0, 1, 2, 3, 4]) {
      for (const number of [7, BUCKET, BUCKET + 1]) {
        await raw.zk.create(
          `${paths.bucket(bucket)}/e${String(number).padStart(10, "0")}`,
          Buffer.alloc(0),
          PERSISTENT,
        );
      }
    }
    replica.position = 3 * BUCKET + 7;
    replica.damaged.add(2 * BUCKET + 7);
    expect(await tidierOf(paths, replica).tidy()).toBe(true);
    expect(await names(paths.bucket(0))).toHaveLength(1);
    expect(await raw.zk.exists(paths.bucket(1))).toBeNull();
    expect(await names(paths.bucket(2))).toEqual(["e0000000007"]);
    expect(await names(paths.bucket(3))).toHaveLength(3);
    expect(await names(paths.bucket(4))).toHaveLength(3);
    const again = await loadSnapshot(raw.zk, paths, name);
    expect([...(again?.damaged ?? [])]).toEqual([2 * BUCKET + 7]);
  });

  it("deletes parts without an entry when they are old, and no sooner", async () => {
    const { seam, paths, name } = await open();
    await fill(seam);
    const replica = await follow(paths, name);
    const orphan = paths.part(newRequestId(), 0);
    await raw.zk.create(orphan, Buffer.from("of a writer that is no more"), PERSISTENT);
    expect(await tidierOf(paths, replica).tidy()).toBe(true);
    expect(await raw.zk.exists(orphan)).not.toBeNull();
    await seam.put(newJob());
    const orphaned = -60_000;
    // Somebody new, who does not know which parts were of which entries, but of those with jobs.
    const again = await follow(paths, name);
    expect(await tidierOf(paths, again, { orphaned }).tidy()).toBe(true);
    expect(await raw.zk.exists(orphan)).toBeNull();
    expect(await names(paths.parts)).toHaveLength(2);
  });

  it("gives way to another one, and goes on with its own work that was broken off", async () => {
    const { seam, paths, name } = await open();
    await fill(seam);
    const replica = await follow(paths, name);
    const [mine, theirs] = [newRequestId(), newRequestId()];
    await raw.zk.create(paths.tidying, Buffer.from(theirs), EPHEMERAL);
    expect(await tidierOf(paths, replica, { member: () => mine }).tidy()).toBe(false);
    expect(await raw.zk.exists(paths.tidying)).not.toBeNull();
    expect(await tidierOf(paths, replica, { member: () => theirs }).tidy()).toBe(true);
    expect(await raw.zk.exists(paths.tidying)).toBeNull();
  });

  it("publishes nothing older than what counts, nor beside another", async () => {
    const { seam, paths, name } = await open();
    await seam.put(newJob("one"));
    const older = await follow(paths, name);
    await seam.put(newJob("two"));
    const newer = await follow(paths, name);
    const both = await Promise.all([older, newer].map((replica) => publishSnapshot(raw.zk, paths, replica, false)));
    expect(both.filter((published) => published !== null)).toHaveLength(1);
    await publishSnapshot(raw.zk, paths, newer, false);
    expect(await publishSnapshot(raw.zk, paths, older, false)).toBeNull();
    expect(await publishSnapshot(raw.zk, paths, newer, false)).toBeNull();
    expect(await snapshotPosition(raw.zk, paths)).toBe(newer.position);
    expect((await loadSnapshot(raw.zk, paths, name))?.stats()).toEqual(newer.stats());
  });

  it("says what is wrong with a snapshot that is damaged, or newer", async () => {
    const { seam, paths, name } = await open();
    await seam.put(newJob("one"));
    await publishSnapshot(raw.zk, paths, await follow(paths, name), false);
    const pointer = (await raw.zk.get(paths.snapshot))!.data.toString();
    const [chunk = ""] = await names(paths.snapshots);
    const load = (): Promise<unknown> => loadSnapshot(raw.zk, paths, name);
    const bytes = (await raw.zk.get(`${paths.snapshots}/${chunk}`))!.data;
    await raw.zk.set(
      `${paths.snapshots}/${chunk}`,
      Buffer.concat([bytes.subarray(0, 50), Buffer.from("?"), bytes.subarray(51)]),
      -1,
    );
    await expect(load()).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("chunk 0 of 1") as string,
    });
    await raw.zk.delete(`${paths.snapshots}/${chunk}`);
    await expect(load()).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("is not there") as string,
    });
    for (const [text, code] of [
      [pointer.replace('"position":1', '"position":2'), "CORRUPT"],
      ["", "CORRUPT"],
      ["{}", "CORRUPT"],
      ['{"format":2}', "INCOMPATIBLE_VERSION"],
    ] as const) {
      await raw.zk.set(paths.snapshot, Buffer.from(text), -1);
      await expect(load()).rejects.toMatchObject({ code });
      await expect(snapshotPosition(raw.zk, paths)).rejects.toMatchObject({ code });
    }
  });

  it("begins when enough entries have come, sooner where they were written", async () => {
    const { seam, paths, name } = await open();
    await seam.put(newJob("one"));
    const replica = await follow(paths, name);
    const tidier = tidierOf(paths, replica);
    const at = (position: number, own: boolean): boolean => {
      replica.position = position;
      const { attempts } = tidier.progress;
      tidier.applied(position, own);
      return tidier.progress.phase !== "idle" || tidier.progress.attempts > attempts;
    };
    expect(at(500, true)).toBe(false);
    expect(at(600, false)).toBe(false);
    replica.position = 501;
    tidier.applied(501, true);
    await eventually(() => expect(tidier.progress).toMatchObject({ phase: "idle", published: 1 }));
    expect(at(1001, true)).toBe(false);
    expect(at(1501, false)).toBe(false);
    tidier.applied((replica.position = 1503), false);
    await eventually(() => expect(tidier.progress).toMatchObject({ phase: "idle", published: 2 }));
    // Another process was quicker.
    const other = tidierOf(paths, replica);
    other.applied((replica.position = 1600), true);
    await eventually(() => expect(other.progress).toMatchObject({ phase: "idle", attempts: 1, published: 0 }));
    // Made anew.
    expect(at(501, true)).toBe(true);
    await eventually(() => expect(tidier.progress).toMatchObject({ phase: "idle", attempts: 3, published: 2 }));
    await tidier.close();
    tidier.applied((replica.position = 9000), true);
    expect(await tidier.tidy()).toBe(false);
    expect(tidier.progress.published).toBe(2);
  });
});

/** A client whose connection is lost before the first write that is not allowed any more. */
function breaking(zk: ZkClient, allow: () => boolean): ZkClient {
  let lost = false;
  const check = (): void => {
    lost ||= !allow();
    if (lost) throw new ZkError(-4, "lost");
  };
  const like: Pick<ZkClient, "create" | "set" | "delete" | "get" | "exists" | "children" | "setAccess"> = {
    create: async (...args) => (check(), zk.create(...args)),
    set: async (...args) => (check(), zk.set(...args)),
    delete: async (...args) => (check(), zk.delete(...args)),
    get: (...args) => zk.get(...args),
    exists: (...args) => zk.exists(...args),
    children: (...args) => zk.children(...args),
    setAccess: (...args) => zk.setAccess(...args),
  };
  return like as ZkClient;
}
