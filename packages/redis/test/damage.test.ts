import { type JobId, jobIdToBytes, type NewJob, sleep, systemClock } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { code, newJob, newJobs, type Seam, Site } from "./support.ts";

const there = await available("redis", "program");

const key = (part: string): string => `pq:{q}:${part}`;
const bytes = (id: JobId): Buffer => Buffer.from(jobIdToBytes(id));

/** A record that says it has more headers than bytes, and features with names of 238 bytes. */
const LONG_HEADERS = Buffer.from([2, 3, 255, 255, 1, 1, 1, 1, 1, 1, 1, 1]);
const GARBAGE = Buffer.alloc(40, 0xee);

/** All that has a job in it, so that each of its records can be damaged. */
const RICH = { key: "k", priority: 5, ttl: 600_000, lease: 60_000, keepResult: 60_000 };

describe.skipIf(!there.available)("damaged records", () => {
  let site: Site;
  let seam: Seam;

  beforeEach(async () => {
    site = await Site.start();
    seam = await site.queue();
  });

  afterEach(async () => site.close());

  /** Take and ack until the queue is empty, as a worker would: a call that fails is made again. */
  async function drain(): Promise<string[]> {
    const drained: string[] = [];
    let empty = 0;
    await eventually(
      async () => {
        const jobs = await seam.take(3);
        if (jobs.length > 0) await seam.ack(...jobs);
        drained.push(...jobs.map(({ payload }) => Buffer.from(payload).toString()));
        empty = jobs.length === 0 ? empty + 1 : 0;
        expect(empty).toBeGreaterThan(2);
      },
      { patience: 2000 },
    );
    return drained;
  }

  function damages(): string[] {
    return seam.backend.events.filter(({ type }) => type === "damage").map(({ message }) => message);
  }

  type Wound = readonly [string, object, (id: Buffer) => Promise<unknown>];

  const wounds: readonly Wound[] = [
    ["an empty record", {}, (id) => site.admin.hset(key("jobs"), id, "")],
    ["a short record", {}, (id) => site.admin.hset(key("jobs"), id, Buffer.from([0, 3, 1]))],
    ["a record that is gone", {}, (id) => site.admin.hdel(key("jobs"), id)],
    ["features that are gone", RICH, (id) => site.admin.hdel(key("features"), id)],
    ["short features", RICH, (id) => site.admin.hset(key("features"), id, "short")],
    ["headers longer than the record", {}, (id) => site.admin.hset(key("jobs"), id, LONG_HEADERS)],
    ["features with longer names", RICH, (id) => site.admin.hset(key("features"), id, GARBAGE)],
    ["features in the list with longer names", { key: "k" }, (id) => site.admin.hset(key("features"), id, GARBAGE)],
    ["a state that is gone", RICH, (id) => site.admin.hdel(key("states"), id)],
    ["a short state", RICH, (id) => site.admin.hset(key("states"), id, "r")],
  ];

  async function expectPutAside(fields: object, wound: Wound[2]): Promise<void> {
    const hurt = newJob("hurt", fields);
    await seam.put(...newJobs(4, { priority: 5 }), hurt, ...newJobs(4));
    await wound(bytes(hurt.id));
    const drained = await drain();
    expect(drained.toSorted()).toEqual(["0", "0", "1", "1", "2", "2", "3", "3"]);
    expect(damages().join()).toContain(hurt.id);
    expect(await seam.stats()).toMatchObject({ ready: 0, leased: 0, delayed: 0 });
  }

  test.each(wounds)("%s: put aside and reported, and the other jobs go on", async (_what, fields, wound) => {
    await expectPutAside(fields, wound);
  });

  const due: readonly [string, (hurt: NewJob) => Promise<unknown>][] = [
    [
      "leased",
      async (hurt) => {
        await seam.put(hurt);
        await seam.take(1, 50);
        await site.admin.hset(key("states"), bytes(hurt.id), "l");
      },
    ],
    [
      "delayed",
      async (hurt) => {
        await seam.put({ ...hurt, due: { in: 50 } });
        await site.admin.hset(key("states"), bytes(hurt.id), "d");
      },
    ],
  ];

  test.each(due)("the damaged state of a %s job does not stop the queue when its time comes", async (_what, hurt) => {
    await hurt(newJob("hurt"));
    await seam.put(...newJobs(3));
    await sleep(systemClock, 60);
    expect(await drain()).toEqual(["0", "1", "2"]);
    expect(await code(seam.put(newJob("later")))).toBe("done");
  });

  test("a list entry of garbage harms nobody else", async () => {
    await seam.put(...newJobs(3));
    await site.admin.lpush(key("fifo"), "short");
    await site.admin.lpush(key("fifo"), "");
    await site.admin.lpush(key("fifo"), Buffer.alloc(8)); // a run without ids
    expect((await drain()).toSorted()).toEqual(["0", "1", "2"]);
  });

  test.each(["jobs", "states", "leased", "fifo", "meta"])(
    "something else under the key %s is told, and other queues go on",
    async (part) => {
      await seam.put(newJob("a"), newJob("b"));
      await seam.take(1);
      await site.admin.rename(key(part), "aside");
      await site.admin.set(key(part), "a string");
      expect(await code(seam.take(1))).toBe("CORRUPT");
      const other = await site.queue("other");
      await other.put(newJob("c"));
      expect(await other.drain()).toEqual(["c"]);
    },
  );

  test("looking at a page with a damaged job shows the others", async () => {
    const [hurt, fine] = [newJob("hurt"), newJob("fine")];
    await seam.put(hurt, fine);
    await site.admin.hset(key("jobs"), bytes(hurt.id), LONG_HEADERS);
    const page = await seam.backend.read({ queue: "q", state: "ready", limit: 10, cursor: null });
    expect(page.jobs.map(({ id }) => id)).toContain(fine.id);
  });
});
