import { newRequestId } from "@pq/core/backend";
import { available } from "@pq/services";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeName, encodeName, entryNumber, guidOf, Paths } from "../src/paths.ts";
import { PERSISTENT } from "../src/zk-client.ts";
import { newJob, Seam, Site, texts, treeOf } from "./support.ts";

const there = await available("zk");

const HOSTILE = [
  ".",
  "..",
  "a/b",
  "/",
  "../../zookeeper",
  "zookeeper",
  "members",
  "log",
  "nul\0inside",
  "\0",
  "\u0001",
  "tab\tand\nline",
  "with space",
  "%",
  "%2F",
  "%2f",
  "ünïcödé 🦫",
  "\u{10ffff}",
  "\uf8ff",
  "e0000000000",
  "q",
  "Q",
  "x".repeat(255),
  "🦫".repeat(63),
];

test("names are plain text as nodes, come back as they were, and never meet", { timeout: 30_000 }, () => {
  for (const name of HOSTILE) {
    expect(encodeName(name)).toMatch(/^(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+$/);
    expect(decodeName(encodeName(name))).toBe(name);
  }
  expect(new Set(HOSTILE.map(encodeName)).size).toBe(HOSTILE.length);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.string({ unit: "binary", minLength: 1 }), (a, b) => {
      expect(decodeName(encodeName(a))).toBe(a);
      expect(encodeName(a) === encodeName(b)).toBe(a === b);
    }),
  );
});

test.each(["a.b", "%2f", "%", "%zz", "ä", "%FF", "%41"])("the node %s is no queue's", (node) => {
  expect(decodeName(node)).toBeNull();
});

test("entries are numbered over their buckets", () => {
  const paths = new Paths("/r").queue("q");
  expect(paths.entry(0)).toBe("/r/queues/q/log/0000000000/e0000000000");
  expect(paths.entry(2_345_678)).toBe("/r/queues/q/log/0000002345/e0000000678");
  expect(entryNumber(paths.entry(2_345_678))).toBe(678);
  expect(entryNumber("e12345678901")).toBe(12_345_678_901);
  for (const name of ["e1", "x0000000001", "e-000000001", "entry-100-0000000001", "e0000000001x", ""]) {
    expect(entryNumber(name)).toBeNaN();
  }
  expect(guidOf("0123-4")).toBe("0123");
});

describe.skipIf(!there.available)("stored names", { timeout: 60_000 }, () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(() => site.close());

  test("of queues, whatever they are called, stay below the root, and each has jobs of its own", async () => {
    const backend = await site.backend();
    const { zk } = await site.raw();
    const outside = async (): Promise<string[]> => (await treeOf(zk, "/zookeeper")).toSorted();
    const before = await outside();
    const seams = HOSTILE.map((name) => new Seam(backend, name));
    for (const seam of seams) await seam.put(newJob(seam.name), newJob("second"));
    expect((await backend.queues()).toSorted()).toEqual(HOSTILE.toSorted());
    expect(await outside()).toEqual(before);
    expect(((await zk.children("/")) ?? []).toSorted()).toEqual([site.root.slice(1), "zookeeper"].toSorted());
    expect(((await zk.children(`${site.root}/queues`)) ?? []).length).toBe(HOSTILE.length);
    for (const seam of seams) expect(texts(await seam.take(9))).toEqual([seam.name, "second"]);
    await seams[0]!.control("truncate");
    for (const seam of seams.slice(1)) expect((await seam.stats()).leased).toBe(2);
  });

  test("of two roots do not meet, also when one is within the other", async () => {
    const roots = [`${site.root}-2`, `${site.root}-2/queues`, `${site.root}-2/queues/q`, `${site.root}-22`];
    const seams = await Promise.all(roots.map((root) => site.queue("q", { root })));
    for (const [at, seam] of seams.entries()) await seam.put(newJob(String(at)));
    for (const [at, seam] of seams.entries()) expect(texts(await seam.take(9))).toEqual([String(at)]);
  });

  test("keys and groups are text inside of a queue", async () => {
    const seam = await site.queue("keys");
    const jobs = HOSTILE.map((name) => newJob(name, { key: name, group: name }));
    await seam.put(...jobs);
    expect(texts(await seam.take(100)).toSorted()).toEqual(HOSTILE.toSorted());
    const again = HOSTILE.map((name) => newJob(name, { key: name }));
    expect(await seam.put(...again)).toEqual(jobs.map(({ id }) => ({ status: "duplicate", id })));
  });

  test("the answers of one queue are not those of another with the same request", async () => {
    const backend = await site.backend();
    const rest = { request: newRequestId(), after: null, maxSize: null, partial: false, transaction: null };
    for (const queue of ["a", "b"]) await backend.put({ ...rest, queue, jobs: [newJob(queue)] });
    expect([(await backend.stats("a")).ready, (await backend.stats("b")).ready]).toEqual([1, 1]);
  });
});

describe.skipIf(!there.available)("a chroot", () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(() => site.close());

  test("that is there holds everything, and is woken in", { timeout: 20_000 }, async () => {
    const raw = await site.raw();
    await raw.zk.create("/app", Buffer.alloc(0), PERSISTENT);
    const hosts = `${site.server.hosts}/app`;
    const [putter, waiter] = [await site.queue("q", { hosts }), await site.queue("q", { hosts })];
    const waiting = waiter.backend.wait({ queue: "q", timeout: 10_000, signal: new AbortController().signal });
    await putter.put(newJob("job"));
    await waiting;
    expect(texts(await waiter.take())).toEqual(["job"]);
    expect(await raw.zk.children("/")).toEqual(expect.not.arrayContaining([site.root.slice(1)]));
    expect(await raw.zk.children("/app")).toEqual([site.root.slice(1)]);
  });

  test("that is not there is an error that says so, at once", async () => {
    const opening = site.backend({ hosts: `${site.server.hosts}/nowhere` });
    await expect(opening).rejects.toThrow(/chroot.*does not exist/);
  });
});
