/** What another version, or something else, has stored. */
import { available } from "@pq/services";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sealInline } from "../src/entry.ts";
import { Paths, type QueuePaths } from "../src/paths.ts";
import { PERSISTENT, SEQUENTIAL } from "../src/zk-client.ts";
import { code, failure, newJob, type Raw, setFormat, Site, texts } from "./support.ts";

const there = await available("zk");
const report = (): void => undefined;

describe.skipIf(!there.available)("the stored format", { timeout: 30_000 }, () => {
  let first: Site;
  let site: Site;
  let raw: Raw;
  let paths: QueuePaths;
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
  });

  async function rootData(text: string): Promise<void> {
    if ((await raw.zk.exists(site.root)) === null) await raw.zk.create(site.root, Buffer.from(text), PERSISTENT);
    else await raw.zk.set(site.root, Buffer.from(text), -1);
  }

  test("is written by the first who opens the store", async () => {
    await site.backend();
    expect((await raw.zk.get(site.root))?.data.toString()).toBe('{"pq":1}');
  });

  test("of a newer store is refused, and left as it is", async () => {
    await rootData('{"pq":2,"more":true}');
    const error = await failure(site.unopened().open({ report }));
    expect(error).toMatchObject({ code: "INCOMPATIBLE_VERSION" });
    expect(error.message).toMatch(/format 2.*upgrade/);
    expect((await raw.zk.get(site.root))?.data.toString()).toBe('{"pq":2,"more":true}');
  });

  test.each(["something else", "null", "[]", '{"pq":"1"}', "\0\xff", "7"])(
    "is not that of somebody else: %j is left as it is",
    async (text) => {
      await rootData(text);
      const error = await failure(site.unopened().open({ report }));
      expect(error).toMatchObject({ code: "INCOMPATIBLE_VERSION" });
      expect(error.message).toContain(site.root);
      expect((await raw.zk.get(site.root))?.data).toEqual(Buffer.from(text));
    },
  );

  test("a store that could not be opened can be, once it is well", async () => {
    await rootData("x");
    const backend = site.unopened();
    expect(await code(backend.open({ report }))).toBe("INCOMPATIBLE_VERSION");
    await rootData("");
    expect(await code(backend.open({ report }))).toBe("done");
    expect(await backend.queues()).toEqual([]);
  });

  test("of a newer entry is refused by every call on that queue, and by no other", async () => {
    const seam = await site.queue();
    const other = await site.queue("other");
    await seam.put(newJob("a"));
    const [held] = await seam.take();
    const node = sealInline({ head: Buffer.from("from the future"), body: Buffer.alloc(0) });
    setFormat(node, 2);
    await raw.zk.create(paths.newEntry(0), node, SEQUENTIAL);
    for (const each of [seam, await site.queue()]) {
      const error = await failure(each.stats());
      expect(error).toMatchObject({ code: "INCOMPATIBLE_VERSION" });
      expect(error.message).toMatch(/format 2.*upgrade/);
      expect(await code(each.put(newJob("b")))).toBe("INCOMPATIBLE_VERSION");
      expect(await code(each.take())).toBe("INCOMPATIBLE_VERSION");
      expect(await code(each.ack(held!))).toBe("INCOMPATIBLE_VERSION");
      expect(await code(each.list("ready"))).toBe("INCOMPATIBLE_VERSION");
    }
    await other.put(newJob("x"));
    expect(texts(await other.take())).toEqual(["x"]);
  });

  test("foreign nodes beside what is ours are left alone, and harm nothing", async () => {
    const seam = await site.queue();
    await seam.put(newJob("a"));
    await raw.zk.create(`${paths.bucket(0)}/foreign`, Buffer.from("x"), PERSISTENT);
    await raw.zk.create(`${paths.log}/foreign`, Buffer.from("x"), PERSISTENT);
    await raw.zk.create(`${site.root}/names/foreign`, Buffer.from("x"), PERSISTENT);
    await raw.zk.create(`${site.root}/members/foreign`, Buffer.from("x"), PERSISTENT);
    await seam.put(newJob("b"));
    const fresh = await site.queue();
    expect(texts(await fresh.take(5))).toEqual(["a", "b"]);
    expect(await fresh.backend.queues()).toEqual(["q"]);
    expect(fresh.backend.events).toEqual([]);
  });
});
