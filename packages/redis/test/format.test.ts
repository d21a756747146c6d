import { newRequestId } from "@pq/core/backend";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { code, newJob, Seam, Site } from "./support.ts";

const there = await available("redis", "program");

describe.skipIf(!there.available)("the stored format", () => {
  let site: Site;

  beforeEach(async () => {
    site = await Site.start();
  });

  afterEach(async () => site.close());

  test("is written by the first that opens the store", async () => {
    await site.backend();
    expect(await site.admin.get("pq:format")).toBe("1");
  });

  test("of a newer store is refused at opening, and nothing is touched", async () => {
    const seam = await site.queue();
    await seam.put(newJob("kept"));
    await site.admin.set("pq:format", "2");
    const before = await site.contents();
    const late = site.unopened();
    await expect(late.open({ report: () => undefined })).rejects.toMatchObject({ code: "INCOMPATIBLE_VERSION" });
    await expect(late.open({ report: () => undefined })).rejects.toThrow("upgrade");
    expect(await site.contents()).toEqual(before);
  });

  test("that is no number is refused too", async () => {
    await site.admin.set("pq:format", "two");
    expect(await code(site.unopened().open({ report: () => undefined }))).toBe("CORRUPT");
  });

  test("of a newer queue is refused by every call, and nothing is touched", async () => {
    const seam = await site.queue();
    await seam.put(newJob("a"), newJob("b"), newJob("c"));
    const [a, b] = await seam.take(2);
    await seam.bury(a!);
    const other = new Seam(seam.backend, "other");
    await site.admin.hset("pq:{q}:meta", "format", "2");
    const before = await site.contents();
    const codes = {
      put: await code(seam.put(newJob("d"))),
      take: await code(seam.take(1)),
      ack: await code(seam.ack(b!)),
      touch: await code(seam.touch(1000, b!)),
      kick: await code(seam.kick(1)),
      delete: await code(seam.delete(b!.id)),
      truncate: await code(seam.control("truncate")),
      pause: await code(seam.control("pause")),
      stats: await code(seam.stats()),
      read: await code(seam.backend.read({ queue: "q", ids: [b!.id] })),
      wait: await code(seam.wait(100)),
    };
    expect(new Set(Object.values(codes)), JSON.stringify(codes)).toEqual(new Set(["INCOMPATIBLE_VERSION"]));
    expect(await site.contents()).toEqual(before);
    // It concerns that queue only.
    expect(await code(other.put(newJob("x")))).toBe("done");
  });

  test("a repeated request is refused too", async () => {
    const seam = await site.queue();
    const params = {
      request: newRequestId(),
      after: null,
      queue: "q",
      jobs: [newJob("a")],
      maxSize: null,
      partial: false,
      transaction: null,
    };
    await seam.backend.put(params);
    await site.admin.hset("pq:{q}:meta", "format", "2");
    expect(await code(seam.backend.put(params))).toBe("INCOMPATIBLE_VERSION");
  });
});
