import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newJobs, type Seam, Site, texts } from "./support.ts";

const there = await available("redis", "program");
const JOBS = 20_000;
const TAKERS = 16;

describe.skipIf(!there.available)("many connections at once", () => {
  let site: Site;

  beforeAll(async () => {
    // What is raced for is not the disk.
    site = await Site.start(["--appendfsync", "no"]);
  });

  afterAll(async () => site.close());

  test.each([
    ["plain jobs", {}],
    ["jobs with keys and priorities", { priority: 1 }],
  ])(
    "%s: each is given out once, to one of them, and none is left",
    async (name, fields) => {
      const takers = await Promise.all(Array.from({ length: TAKERS }, () => site.queue(name)));
      await takers[0]!.putAll(newJobs(JOBS, fields));
      const given = await Promise.all(takers.map(drainOnce));
      const all = given.flat();
      expect(all.length).toBe(JOBS);
      expect(new Set(all).size).toBe(JOBS);
      // It was a race: everybody got some.
      expect(Math.min(...given.map(({ length }) => length))).toBeGreaterThan(0);
      const { ready, leased, counters } = await takers[0]!.stats();
      expect({ ready, leased, take: counters.take, ack: counters.ack }).toEqual({
        ready: 0,
        leased: 0,
        take: JOBS,
        ack: JOBS,
      });
    },
    60_000,
  );

  async function drainOnce(seam: Seam): Promise<string[]> {
    const got: string[] = [];
    for (;;) {
      const jobs = await seam.take(7);
      if (jobs.length === 0) return got;
      expect(jobs.every(({ attempt }) => attempt === 1)).toBe(true);
      const outcomes = await seam.ack(...jobs);
      expect(outcomes.every((outcome) => outcome === "gone")).toBe(true);
      got.push(...texts(jobs));
    }
  }
});
