import { newRequestId } from "@pq/core/backend";
import { available } from "@pq/services";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { slotOf } from "../src/slot.ts";
import { newJob, Seam, Site, texts } from "./support.ts";

const there = await available("redis", "program");

const HOSTILE = [
  "a:b",
  "a{b}c",
  "}{",
  "{}",
  "a}:jobs",
  "q}:meta",
  "with space",
  "tab\tand\nline",
  "nul\0inside",
  "\0",
  "%7B",
  "%",
  "ünïcödé 🦫",
  "..",
  "*",
  "[a-z]?",
  "q",
  "Q",
  "queues",
  "format",
  "x".repeat(255),
];

describe.skipIf(!there.available)("stored names", () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start();
  });

  afterAll(async () => site.close());

  beforeEach(async () => {
    await site.admin.flushall();
  });

  /** Put something into every key that a queue has. */
  async function fill(seam: Seam): Promise<void> {
    await seam.put(
      newJob("gone"),
      newJob("kept"),
      newJob("key", { key: "k", group: "g" }),
      newJob("g2", { group: "g" }),
    );
    await seam.put(newJob("late", { due: { in: 60_000 } }), newJob("ends", { ttl: 60_000, keepResult: 60_000 }));
    const [first, second, third] = await seam.take(3);
    await seam.bury(first!);
    await seam.ack(second!);
    await seam.touch(60_000, third!);
    const heard = new AbortController();
    const waiting = seam.wait(20, heard.signal);
    await waiting;
  }

  test("of one queue stay under the prefix and in one slot, whatever it is called", async () => {
    const backend = await site.backend({ prefix: "mine" });
    for (const name of HOSTILE) {
      await site.admin.flushall();
      await fill(new Seam(backend, name));
      const keys = (await site.admin.keys("*")).filter((key) => key !== "mine:format" && key !== "mine:queues");
      expect(keys.length, name).toBeGreaterThan(5);
      for (const key of keys) expect(key).toMatch(/^mine:\{/);
      expect(new Set(keys.map(slotOf)).size, `slots of ${JSON.stringify(name)}`).toBe(1);
      // A registered name comes back as it went in, also after a FLUSHALL that this connection did not see.
      await site.admin.sadd("mine:queues", name);
      expect(await backend.queues()).toEqual([name]);
    }
  });

  test("of two queues share no key", async () => {
    const backend = await site.backend();
    const owners = new Map<string, string>();
    for (const name of HOSTILE) {
      const before = new Set(await site.admin.keys("*"));
      await fill(new Seam(backend, name));
      for (const key of await site.admin.keys("*")) {
        if (before.has(key) || !key.includes("{")) continue;
        expect(owners.get(key)).toBeUndefined();
        owners.set(key, name);
      }
    }
    expect(new Set(owners.values()).size).toBe(HOSTILE.length);
    expect((await backend.queues()).toSorted()).toEqual(HOSTILE.toSorted());
    // What one queue loses, no other does.
    const sizes = async (): Promise<number[]> =>
      Promise.all(HOSTILE.map(async (name) => (await backend.stats(name)).ready));
    const [first, ...others] = await sizes();
    expect(first).toBeGreaterThan(0);
    await new Seam(backend, HOSTILE[0]!).control("truncate");
    expect(await sizes()).toEqual([0, ...others]);
  });

  test("of two prefixes do not meet, also when one begins with the other", async () => {
    const prefixes = ["pq", "pq:", "pq:pq", "p", "pq:queues"];
    const seams = await Promise.all(prefixes.map((prefix) => site.queue("q", { prefix })));
    for (const [at, seam] of seams.entries()) await seam.put(newJob(String(at)));
    for (const [at, seam] of seams.entries()) {
      expect(await seam.backend.queues()).toEqual(["q"]);
      expect(texts(await seam.take(10))).toEqual([String(at)]);
    }
    await seams[0]!.control("truncate");
    for (const seam of seams.slice(1)) expect((await seam.stats()).leased).toBe(1);
  });

  test("keys and groups are text inside of a queue, and meet nobody", async () => {
    const seam = await site.queue();
    const jobs = HOSTILE.map((name) => newJob(name, { key: name, group: name }));
    await seam.put(...jobs);
    expect(texts(await seam.take(100)).toSorted()).toEqual(HOSTILE.toSorted());
    const again = HOSTILE.map((name) => newJob(name, { key: name }));
    expect(await seam.put(...again)).toEqual(jobs.map(({ id }) => ({ status: "duplicate", id })));
    expect((await site.admin.keys("*")).every((key) => key.startsWith("pq:"))).toBe(true);
  });

  test("the answers of one queue are not those of another with the same request", async () => {
    const backend = await site.backend();
    const request = newRequestId();
    const put = (queue: string): Promise<unknown> =>
      backend.put({
        request,
        after: null,
        queue,
        jobs: [newJob(queue)],
        maxSize: null,
        partial: false,
        transaction: null,
      });
    await put("a");
    await put("b");
    expect([(await backend.stats("a")).ready, (await backend.stats("b")).ready]).toEqual([1, 1]);
  });
});
