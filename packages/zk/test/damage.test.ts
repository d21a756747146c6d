/** Bytes that changed on the way or on a disk. What is damaged is put aside and told; all else goes on. */
import type { BackendEvent } from "@pq/core/backend";
import { available } from "@pq/services";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Paths, type QueuePaths } from "../src/paths.ts";
import { SEQUENTIAL } from "../src/zk-client.ts";
import { newJob, type Raw, type Seam, Site, texts } from "./support.ts";

const there = await available("zk");

describe.skipIf(!there.available)("damage", { timeout: 30_000 }, () => {
  let first: Site;
  let raw: Raw;
  let paths: QueuePaths;
  let seam: Seam;
  let site: Site;
  const sites = new Set<Site>();

  beforeAll(async () => {
    first = await Site.start();
  });
  afterAll(async () => {
    for (const each of sites) await each.close();
    await first.close();
  });
  beforeEach(async () => {
    site = new Site(first.server);
    sites.add(site);
    raw = await site.raw();
    paths = new Paths(site.root).queue("q");
    seam = await site.queue();
  });

  /** Change a node: somebody's bytes. */
  async function change(path: string, spoil: (data: Buffer) => void): Promise<void> {
    const node = await raw.zk.get(path);
    const data = Buffer.from(node!.data);
    spoil(data);
    await raw.zk.set(path, data, -1);
  }

  function damageOf({ events }: { readonly events: readonly BackendEvent[] }): BackendEvent[] {
    return events.filter(({ type }) => type === "damage");
  }

  test("of a record: that job is put aside, once, and the others go on", async () => {
    // Parts, whose bytes have no checksum but that of each record.
    const large = Array.from({ length: 4 }, (_, n) => newJob(String(n).repeat(200_000)));
    await seam.put(...large);
    await seam.put(newJob("small"));
    const parts = (await raw.zk.children(paths.parts)) ?? [];
    expect(parts).toHaveLength(1);
    await change(`${paths.parts}/${parts[0]}`, (data) => {
      data[data.indexOf("1111") + 1000]! ^= 1;
    });
    const fresh = await site.queue();
    const jobs = await fresh.take(9);
    expect(texts(jobs).map((text) => text[0])).toEqual(["0", "2", "3", "s"]);
    expect(damageOf(fresh.backend)).toEqual([
      { type: "damage", message: `the record of job ${large[1]!.id} is damaged`, queue: "q", where: paths.entry(0) },
    ]);
    const { ready, leased, counters } = await seam.stats();
    expect([ready, leased, counters.take]).toEqual([0, 4, 4]);
    await fresh.ack(...jobs);
    await seam.put(newJob("after"));
    expect(texts(await fresh.take(9))).toEqual(["after"]);
    expect(damageOf(fresh.backend)).toHaveLength(1);
  });

  test("of all records of a take: what comes after them is given instead", async () => {
    await seam.put(newJob("x".repeat(300_000)));
    await seam.put(newJob("good"));
    const [part] = (await raw.zk.children(paths.parts)) ?? [];
    await change(`${paths.parts}/${part}`, (data) => data.fill(0, data.length - 50));
    const fresh = await site.queue();
    expect(texts(await fresh.take(1))).toEqual(["good"]);
    expect(await seam.list("ready")).toEqual([]);
  });

  test("of a part that is not there any more: its jobs are put aside", async () => {
    await seam.put(newJob("x".repeat(300_000)));
    await seam.put(newJob("good"));
    const [part] = (await raw.zk.children(paths.parts)) ?? [];
    await raw.zk.delete(`${paths.parts}/${part}`);
    const fresh = await site.queue();
    expect(texts(await fresh.take(5))).toEqual(["good"]);
    expect(damageOf(fresh.backend).length).toBeGreaterThan(0);
    await seam.put(newJob("after"));
    expect(texts(await fresh.take(5))).toEqual(["after"]);
  });

  test("is seen by whoever reads a list, too", async () => {
    await seam.put(newJob("x".repeat(300_000)), newJob("good"));
    const [part] = (await raw.zk.children(paths.parts)) ?? [];
    await change(`${paths.parts}/${part}`, (data) => {
      data[data.indexOf("xxxx") + 7]! ^= 1;
    });
    const fresh = await site.queue();
    expect(texts(await fresh.list("ready"))).toEqual(["good"]);
    expect(damageOf(fresh.backend)).toHaveLength(1);
    expect((await seam.stats()).ready).toBe(1);
  });

  test.each<[string, (data: Buffer) => void]>([
    ["a bit of its head", (data) => void (data[20]! ^= 4)],
    ["a bit of its body", (data) => void (data[data.length - 1]! ^= 4)],
    ["a bit of its kind", (data) => void (data[1]! ^= 1)],
    ["a bit of its checksum", (data) => void (data[3]! ^= 4)],
    ["all of it", (data) => void data.fill(0)],
  ])("of an entry in the log, %s: it changes nothing, is told, and the log goes on", async (_, spoil) => {
    await seam.put(newJob("a"));
    await seam.put(newJob("damaged"));
    await seam.put(newJob("b"));
    await change(paths.entry(1), spoil);
    const fresh = await site.queue();
    expect(texts(await fresh.list("ready"))).toEqual(["a", "b"]);
    expect(damageOf(fresh.backend)).toEqual([
      { type: "damage", message: "an entry of the log is damaged", queue: "q", where: paths.entry(1) },
    ]);
    await fresh.put(newJob("c"));
    expect(texts(await fresh.take(9))).toEqual(["a", "b", "c"]);
    expect(damageOf(fresh.backend)).toHaveLength(1);
  });

  test("of an entry that is empty, or was deleted: the log goes on", async () => {
    for (const name of ["a", "b", "c", "d"]) await seam.put(newJob(name));
    await raw.zk.set(paths.entry(1), Buffer.alloc(0), -1);
    await raw.zk.delete(paths.entry(2));
    const fresh = await site.queue();
    expect(texts(await fresh.list("ready"))).toEqual(["a", "d"]);
    expect(damageOf(fresh.backend)).toHaveLength(1);
    await fresh.put(newJob("e"));
    expect(texts(await fresh.take(9))).toEqual(["a", "d", "e"]);
  });

  test("written by somebody else at the end of the log harms nobody", async () => {
    await seam.put(newJob("a"));
    const nonsense = Buffer.from("\u0001nonsense that is longer than a header");
    await raw.zk.create(paths.newEntry(0), nonsense, SEQUENTIAL);
    await seam.put(newJob("b"));
    expect(texts(await seam.take(9))).toEqual(["a", "b"]);
    expect(damageOf(seam.backend).map(({ message }) => message)).toEqual(["an entry of the log is damaged"]);
  });
});
