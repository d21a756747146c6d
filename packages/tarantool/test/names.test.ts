/** Names and numbers that mean something to Lua, to MessagePack or to JavaScript. */
import { newRequestId, UNLIMITED_ATTEMPTS } from "@pq/core/backend";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { broken } from "./invariants/changed.ts";
import { newJob, Seam, Site, texts } from "./support.ts";

const there = await available("tarantool", "program");

const HOSTILE = [
  "__proto__", "constructor", "toString", "nil", "end", "pq", "pq_jobs", "_queue", "]]", "]=]", "'..os.exit()..'", "\\", '"', "%s %d",
  "\0", "a\0b", "tab\tand\nline", " ", "..", "a/b", "*", "Q", "q", "ü", "u\u0308", "🦫", "\uFFFD", "x".repeat(255), "0", "-1", "1e400", "null",
]; // prettier-ignore

describe.skipIf(!there.available)("names and numbers", () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start({ walMode: "write" });
  });
  afterAll(async () => site?.close());

  test("queues of odd names are apart, and come back as they went in", async () => {
    const backend = await site.backend({ prefix: "names" });
    const seams = HOSTILE.map((name) => new Seam(backend, name));
    for (const seam of seams) await seam.put(newJob(seam.name), newJob("more"));
    expect((await backend.queues()).toSorted()).toEqual(HOSTILE.toSorted());
    for (const seam of seams) expect(texts(await seam.take())).toEqual([seam.name]);
    await seams[0]!.control("truncate");
    for (const seam of seams.slice(1)) expect((await seam.stats()).leased).toBe(1);
    // Who waits for one is not woken by another.
    const waits = await Promise.all(seams.slice(0, 3).map((seam) => seam.control("truncate")));
    expect(waits).toHaveLength(3);
    const waiting = seams[0]!.wait(10_000);
    await seams[1]!.put(newJob("other"));
    await seams[0]!.put(newJob("mine"));
    await waiting;
    expect(texts(await seams[0]!.take(5))).toEqual(["mine"]);
    expect(await broken(site, "names")).toBe("");
  });

  test("keys and groups of odd names are apart, and come back as they went in", async () => {
    const seam = await site.queue("odd", { prefix: "keys" });
    const jobs = HOSTILE.map((name) => newJob(name, { key: name, group: name }));
    await seam.put(...jobs);
    expect(await seam.put(...HOSTILE.map((key) => newJob("", { key })))).toEqual(
      jobs.map(({ id }) => ({ status: "duplicate", id })),
    );
    const taken = await seam.take(100);
    expect(taken.map(({ key, group }) => [key, group])).toEqual(HOSTILE.map((name) => [name, name]));
    expect(await broken(site, "keys")).toBe("");
  });

  test("prefixes do not meet, also when one begins with the other, or is a name of Lua or JavaScript", async () => {
    await site.server.admin("queue = { tube = {} }");
    const prefixes = [
      "p",
      "p_jobs",
      "p_jobs_jobs",
      "__proto__",
      "constructor",
      "end",
      "_",
      "_G",
      "queue",
      "print",
      "x".repeat(32),
    ];
    const seams = await Promise.all(prefixes.map((prefix) => site.queue("q", { prefix })));
    for (const [at, seam] of seams.entries()) await seam.put(newJob(prefixes[at]));
    for (const [at, seam] of seams.entries()) {
      expect(await seam.backend.queues()).toEqual(["q"]);
      expect(texts(await seam.take(10))).toEqual([prefixes[at]]);
    }
  });

  test("the largest numbers, and the smallest", async () => {
    const seam = await site.queue("numbers");
    const most = Number.MAX_SAFE_INTEGER - Date.now() - 1_000_000;
    const large = { ttl: most, lease: most, keepResult: most, maxAttempts: UNLIMITED_ATTEMPTS };
    await seam.put(
      newJob("last", { ...large, priority: 2_147_483_647 }),
      newJob("first", { ...large, priority: -2_147_483_648 }),
    );
    await seam.put(newJob("late", { due: { in: most } }), newJob("later", { due: { at: Number.MAX_SAFE_INTEGER } }));
    const jobs = await seam.take(5, most);
    expect(texts(jobs)).toEqual(["first", "last"]);
    expect(jobs.map(({ lease, maxAttempts }) => [lease, maxAttempts])).toEqual([
      [most, UNLIMITED_ATTEMPTS],
      [most, UNLIMITED_ATTEMPTS],
    ]);
    expect(await seam.touch(most, ...jobs)).toEqual([true, true]);
    const [first, last] = jobs;
    expect(await seam.settle({ id: first!.id, fence: first!.fence, type: "release", delay: most })).toEqual([
      "delayed",
    ]);
    const ack = { id: last!.id, fence: last!.fence, type: "ack" as const, result: Buffer.alloc(0) };
    expect(await seam.settle(ack)).toEqual(["done"]);
    expect(texts(await seam.list("delayed"))).toHaveLength(3);
    expect((await seam.list("delayed")).map(({ dueAt }) => dueAt)).toContain(Number.MAX_SAFE_INTEGER);
    expect((await seam.kick(Number.MAX_SAFE_INTEGER)).count).toBe(0);
    const full = { request: newRequestId(), after: null, queue: "numbers", transaction: null, partial: false };
    const put = seam.backend.put({ ...full, jobs: [newJob("x")], maxSize: Number.MAX_SAFE_INTEGER });
    expect(await put).toEqual([{ status: "added" }]);
    await seam.wait(1000);
    expect(texts(await seam.take(Number.MAX_SAFE_INTEGER))).toEqual(["x"]);
    const began = performance.now();
    await seam.wait(100);
    expect(performance.now() - began).toBeGreaterThan(95);
    expect(await broken(site, "pq")).toBe("");
  });

  test("one request id in two queues is two requests", async () => {
    const backend = await site.backend();
    const request = newRequestId();
    for (const queue of ["a", "b"]) {
      const jobs = [newJob(queue)];
      await backend.put({ request, after: null, queue, jobs, maxSize: null, partial: false, transaction: null });
    }
    expect([(await backend.stats("a")).ready, (await backend.stats("b")).ready]).toEqual([1, 1]);
  });

  test("a cursor that is none of ours is refused at once", async () => {
    const { backend } = await site.queue();
    for (const cursor of ["", "1", "1:2:3", "x:y", "1.5:2", "1:9007199254740993"]) {
      await expect(backend.read({ queue: "q", state: "ready", limit: 1, cursor })).rejects.toThrow(RangeError);
    }
  });
});
