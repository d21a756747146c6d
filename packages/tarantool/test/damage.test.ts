/** Jobs of which something is missing: they are put aside and told of, and harm no other. */
import { newRequestId } from "@pq/core/backend";
import { available } from "@pq/services";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { broken } from "./invariants/changed.ts";
import { newJob, type Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");
const LARGE = Buffer.alloc(100_000, "large");

describe.skipIf(!there.available)("a job of which a piece is missing", () => {
  let site: Site;
  let seam: Seam;
  let queues = 0;

  beforeAll(async () => {
    site = await Site.start({ walMode: "write" });
  });
  afterAll(async () => site?.close());
  beforeEach(async () => {
    seam = await site.queue(`q${queues++}`);
  });

  /** Somebody deletes a piece of each job that has one in this field. */
  async function damage(field = 14): Promise<void> {
    await site.server.admin(`
      local generation = box.space.pq_queues:get('${seam.name}')[3]
      for _, row in box.space.pq_blobs:pairs({ generation }) do
        if row[3] == ${field} and row[4] == 3 then box.space.pq_blobs:delete({ row:unpack(1, 4) }) end
      end`);
  }

  const aside = (): Promise<number> => site.ask("return box.space.pq_damaged:len()");

  test("is put aside and reported; those before and behind it come", async () => {
    const before = await aside();
    const bad = newJob(LARGE, { key: "k", ttl: 600_000 });
    await seam.put(newJob("a"), bad, newJob("b"));
    await damage();
    const request = newRequestId();
    const params = { request, queue: seam.name, limit: 5, lease: 60_000 };
    const jobs = await seam.backend.take(params);
    expect(texts(jobs)).toEqual(["a", "b"]);
    expect(seam.backend.events).toEqual([
      expect.objectContaining({ type: "damage", queue: seam.name, message: expect.stringContaining(bad.id) as string }),
    ]);
    expect(seam.backend.events[0]!.message).toContain("pq_damaged");
    expect(await aside()).toBe(before + 1);
    // The same take again gives the same, and reports nothing more.
    expect(await seam.backend.take(params)).toEqual(jobs);
    expect(seam.backend.events).toHaveLength(1);
    expect(await seam.ack(...jobs)).toEqual(["gone", "gone"]);
    expect(await seam.stats()).toMatchObject({ ready: 0, leased: 0, counters: { take: 2, ack: 2 } });
    // Its key and its id are free.
    expect(await seam.put(bad)).toEqual([{ status: "added" }]);
    expect(await broken(site, "pq")).toBe("");
  });

  test("lets its group go on", async () => {
    const group = { group: "g" };
    await seam.put(newJob("first", group), newJob(LARGE, group), newJob("last", group));
    const [first] = await seam.take(5);
    await damage();
    await seam.ack(first!);
    // The take that finds it goes on to the next one.
    expect(texts(await seam.take(5))).toEqual(["last"]);
    expect(seam.backend.events.map(({ type }) => type)).toEqual(["damage"]);
    expect(await broken(site, "pq")).toBe("");
  });

  test("alone makes neither a take fail nor a wait spin", async () => {
    await seam.put(newJob(LARGE), newJob(LARGE));
    await damage();
    await seam.wait(5000);
    expect(await seam.take(1)).toEqual([]);
    expect(await seam.take(1)).toEqual([]);
    const began = performance.now();
    await seam.wait(100);
    expect(performance.now() - began).toBeGreaterThan(95);
    expect(seam.backend.events).toHaveLength(2);
    expect(await broken(site, "pq")).toBe("");
  });

  test("can be acked by who has it, and is left out by who looks", async () => {
    await seam.put(newJob(LARGE), newJob("sound"));
    const [large, sound] = await seam.take(5);
    await damage();
    const { jobs } = await seam.backend.read({ queue: seam.name, ids: [large!.id, sound!.id] });
    expect(texts(jobs)).toEqual(["sound"]);
    expect(texts(await seam.list("leased"))).toEqual(["sound"]);
    expect(await seam.ack(large!)).toEqual(["gone"]);
    expect(await broken(site, "pq")).toBe("");
  });

  test("is as well put aside when it is its progress or its last error", async () => {
    await seam.put(newJob("progress"), newJob("error"));
    const [a, b] = await seam.take(2);
    const touch = { id: a!.id, fence: a!.fence, lease: 60_000, progress: LARGE };
    await seam.backend.touch({ request: newRequestId(), queue: seam.name, items: [touch] });
    const fail = { type: "fail" as const, delay: 0 };
    await seam.settle(
      { id: a!.id, fence: a!.fence, ...fail, error: "short" },
      { id: b!.id, fence: b!.fence, ...fail, error: "long".repeat(10_000) },
    );
    await damage(21);
    expect(texts(await seam.take(5))).toEqual(["progress"]);
    expect(seam.backend.events).toHaveLength(1);
    expect(await broken(site, "pq")).toBe("");
  });
});
