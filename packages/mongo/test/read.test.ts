import { JOB_STATES, newJobId, sleep, systemClock } from "@pq/core/backend";
import { eventually, newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { Binary } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { housekeep } from "../src/housekeeping.ts";
import { readIds, readState } from "../src/read.ts";
import { interrupting, type PageQueue, PageStore } from "./page-store.ts";
import { code } from "./support.ts";

const there = await available("mongo", "stand-in");

/** Payloads of this many bytes are in documents of their own. */
const LARGE = 5000;
const names = (jobs: readonly { readonly payload: Uint8Array }[]): string[] =>
  jobs.map(({ payload }) => Buffer.from(payload).toString().replaceAll(".", ""));

describe.skipIf(!there.available)("reading", { timeout: 60_000 }, () => {
  let store: PageStore;

  beforeAll(async () => {
    store = await PageStore.start();
  });
  afterAll(() => store.close());

  /** All jobs of a state, in pages of so many. */
  async function list(queue: PageQueue, state: (typeof JOB_STATES)[number], limit: number): Promise<string[]> {
    const found: string[] = [];
    for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
      const page = await readState(queue.call(), queue.parts, { state, limit, cursor });
      expect(page.jobs.length).toBeLessThanOrEqual(limit);
      found.push(...names(page.jobs));
      cursor = page.cursor;
    }
    return found;
  }

  test("jobs are found by their ids, whatever page they are in, in the order asked for", async () => {
    const queue = await store.queue();
    const [a, b, c] = [newJob("a"), newJob({ payload: "b".padEnd(LARGE, ".") }), newJob("c")];
    await queue.put(a, newJob("other"));
    await queue.put(b, c);
    await queue.finish(c, "ack");
    await queue.finish(a, "bury");
    const found = await readIds(queue.call(), queue.parts, [b.id, newJobId(), c.id, a.id]);
    expect(names(found)).toEqual(["b", "a"]);
    expect(found.map(({ state, lastError, fence }) => [state, lastError, fence > 0])).toEqual([
      ["ready", null, false],
      ["buried", "why", true],
    ]);
    expect(await readIds(queue.call(), queue.sibling("other").parts, [a.id])).toEqual([]);
  });

  test("what has fallen due is seen as it is now, also in pages that nobody has written since", async () => {
    const queue = await store.queue();
    const [due, over, lost, last] = [
      newJob({ payload: "due", due: { in: 30 } }),
      newJob({ payload: "over", ttl: 30 }),
      newJob("lost"),
      newJob({ payload: "last", maxAttempts: 1 }),
    ];
    for (const job of [due, over, lost, last]) await queue.put(job);
    for (const job of [lost, last]) await queue.take(job, 30);
    const before = await queue.all.pages.find().toArray();
    await eventually(async () => {
      const lists = await Promise.all(JOB_STATES.map((state) => list(queue, state, 9)));
      expect(lists).toEqual([["lost", "due"], [], [], ["last"], []]);
    });
    const ids = [due, over, lost, last].map(({ id }) => id);
    const found = await readIds(queue.call(), queue.parts, ids);
    expect(found.map(({ state }) => state)).toEqual(["ready", "ready", "buried"]);
    expect(await queue.all.pages.find().toArray()).toEqual(before);
  });

  test("what has fallen due is listed once, though others write it down before any command", async () => {
    const found: string[][] = [];
    await interrupting(
      async () => {
        const queue = await store.queue();
        for (const name of ["a", "b"]) await queue.put(newJob({ payload: name, due: { in: 1 } }));
        await queue.put(newJob("c"));
        await sleep(systemClock, 10);
        return queue;
      },
      async (queue, call) => {
        const { jobs } = await readState(call, queue.parts, { state: "ready", limit: 9, cursor: null });
        found.push(names(jobs));
      },
      (queue) => housekeep(queue.call(), queue.parts),
      async () => expect(found.at(-1)?.toSorted()).toEqual(["a", "b", "c"]),
    );
    expect(found.length).toBeGreaterThan(3);
  });

  test("a list of many pages gives each job once, however long its parts are", async () => {
    const queue = await store.queue();
    const jobs = Array.from({ length: 250 }, (_, at) => newJob({ payload: `${at}`, priority: (at * 7) % 250 }));
    for (let from = 0; from < jobs.length; from += 5) await queue.put(...jobs.slice(from, from + 5));
    const expected = names(jobs.toSorted((a, b) => a.priority - b.priority));
    for (const limit of [19, 249, 250, 1000]) expect(await list(queue, "ready", limit), `${limit}`).toEqual(expected);
  });

  test("jobs of the same moment are listed in the order of their puts", async () => {
    const queue = await store.queue();
    const due = { at: Date.now() + 60_000 };
    const at = ["a", "b", "c", "d"].map((payload) => newJob({ payload, due }));
    await queue.put(...at.slice(0, 2));
    await queue.put(...at.slice(2));
    expect(await list(queue, "delayed", 1)).toEqual(["a", "b", "c", "d"]);
  });

  test("a damaged job is left out, and the list goes on after it", async () => {
    const queue = await store.queue();
    const jobs = ["a", "b", "c"].map((name) => newJob({ payload: name.padEnd(LARGE, ".") }));
    const pages: string[] = [];
    for (const job of jobs) pages.push(await queue.put(job));
    await queue.all.bodies.deleteMany({ page: pages[1]! });
    expect(await list(queue, "ready", 1)).toEqual(["a", "c"]);
    expect(
      names(
        await readIds(
          queue.call(),
          queue.parts,
          jobs.map(({ id }) => id),
        ),
      ),
    ).toEqual(["a", "c"]);
  });

  test("a page that cannot be read is left out and reported once", async () => {
    const queue = await store.queue();
    const [a, b] = [newJob("a"), newJob("b")];
    const page = await queue.put(a);
    await queue.put(b);
    await queue.tamper(page, { s: new Binary(Buffer.from("nothing")) });
    expect(await list(queue, "ready", 1)).toEqual(["b"]);
    expect(names(await readIds(queue.call(), queue.parts, [a.id, b.id]))).toEqual(["b"]);
    expect(queue.events.map(({ type }) => type)).toEqual(["damage"]);
  });

  test("a page that is not admitted yet is not seen, however old it is", async () => {
    const queue = await store.queue();
    const job = newJob({ payload: "a", due: { in: 1 } });
    const page = await queue.put(job);
    await queue.tamper(page, { pending: true, in: [], wake: new Date(1) });
    for (const state of JOB_STATES) expect(await list(queue, state, 9)).toEqual([]);
    expect(await readIds(queue.call(), queue.parts, [job.id])).toEqual([]);
  });

  test("an unknown queue is empty, and looking does not make it known", async () => {
    const queue = await store.queue();
    for (const state of JOB_STATES) expect(await list(queue, state, 9)).toEqual([]);
    expect(await readIds(queue.call(), queue.parts, [newJobId()])).toEqual([]);
    expect(await queue.all.heads.countDocuments()).toBe(0);
  });

  test("an answer has at most about 16 MiB of payloads", async () => {
    const queue = await store.queue();
    const payload = Buffer.alloc(1024 * 1024, "x");
    for (let put = 0; put < 5; put++) await queue.put(...Array.from({ length: 4 }, () => newJob({ payload })));
    const first = await readState(queue.call(), queue.parts, { state: "ready", limit: 20, cursor: null });
    expect(first.jobs.length).toBe(15);
    const rest = await readState(queue.call(), queue.parts, { state: "ready", limit: 20, cursor: first.cursor });
    expect([rest.jobs.length, rest.cursor]).toEqual([5, null]);
    expect(new Set([...first.jobs, ...rest.jobs].map(({ id }) => id)).size).toBe(20);
  });

  test("what is no cursor of this list is refused", async () => {
    const queue = await store.queue();
    await queue.put(newJob("a"), newJob("b"));
    const { cursor } = await readState(queue.call(), queue.parts, { state: "ready", limit: 1, cursor: null });
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const hostile = [
      "",
      "\0",
      "{}",
      "null",
      `${cursor}${cursor}`,
      encode({ $gt: "" }),
      encode([{ $gt: "" }, 0, 0, 0, 0, 0, ""]),
      encode([1, 0, 0, 0, 0, "0", ""]),
      encode([1, 0, 0, 0, 0, 0, { $ne: null }]),
      encode([1, 0, 0, null, 0, 0, "x"]),
      "[".repeat(100_000),
      encode(Array.from({ length: 7 }, () => [])),
    ];
    for (const each of hostile) {
      const read = readState(queue.call(), queue.parts, { state: "ready", limit: 9, cursor: each });
      expect(await code(read), each.slice(0, 40)).toBe("UNSUPPORTED");
    }
    const elsewhere = readState(queue.call(), queue.parts, { state: "delayed", limit: 9, cursor });
    expect(await code(elsewhere)).toBe("UNSUPPORTED");
  });
});
