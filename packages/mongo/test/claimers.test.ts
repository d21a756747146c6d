import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newJobs, type Seam, Site } from "./site.ts";

const there = await available("mongo");
const CLIENTS = 4;
const CLAIMERS = 64;
const LIMIT = 16;

describe.skipIf(!there.available)("many claimers at once", () => {
  let site: Site;

  beforeAll(async () => {
    // What is raced for is not the disk.
    site = await Site.start("memory", 2048);
  });

  afterAll(async () => site.close());

  test.each([
    ["pages of 250 jobs", 100_000, 250],
    ["pages of one job", 600, 1],
  ])(
    "%s: each of the jobs is given once, to one of 64 claimers on 4 clients, and none is left",
    async (name, count, size) => {
      const seams = await Promise.all(
        Array.from({ length: CLIENTS }, () => site.queue(name, { commandTimeout: 60_000 })),
      );
      const jobs = newJobs(count);
      for (let from = 0; from < count; from += size) await seams[from % CLIENTS]!.put(...jobs.slice(from, from + size));
      const claimers = Array.from({ length: CLAIMERS }, (_, index) => drainOnce(seams[index % CLIENTS]!));
      const given = (await Promise.all(claimers)).flat();
      expect(given.length).toBe(count);
      expect(new Set(given).size).toBe(count);
      const { ready, leased, counters } = await seams[0]!.stats();
      expect({ ready, leased, take: counters.take, ack: counters.ack }).toEqual({
        ready: 0,
        leased: 0,
        take: count,
        ack: count,
      });
    },
    300_000,
  );

  /** Take and ack until nothing is left; a take that lost its races may give nothing before. */
  async function drainOnce(seam: Seam): Promise<string[]> {
    const got: string[] = [];
    for (;;) {
      const jobs = await seam.take(LIMIT);
      if (jobs.length === 0 && (await seam.stats()).ready === 0) return got;
      if (!jobs.every(({ attempt }) => attempt === 1)) throw new Error("a job was given twice");
      const outcomes = await seam.ack(...jobs);
      if (!outcomes.every((outcome) => outcome === "gone")) throw new Error("a lease was lost");
      got.push(...jobs.map(({ id }) => id));
    }
  }
});
