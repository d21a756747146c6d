import { Queue } from "@pq/core";
import { isPqError, type JobId } from "@pq/core/backend";
import { eventually } from "@pq/core/testing";
import { available, type Sentinels, startSentinels } from "@pq/services";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { redis, type RedisOptions } from "../src/index.ts";

const there = await available("redis", "program");
const FAILOVERS = Number(process.env["PQ_FAILOVERS"] ?? 1);
const LEASE = 2000;

describe.skipIf(!there.available)("the death of a master under load", () => {
  let watched: Sentinels;

  beforeEach(async () => {
    watched = await startSentinels({ replicas: 2 });
  }, 60_000);

  afterEach(async () => watched?.close());

  /**
   * Replication is asynchronous: the new master may lack the last writes, so of the accepted jobs some may be gone, and some of the acked ones come again.
   * With `majority` an accepted job has reached a replica, and the one that is promoted is the one that has most.
   */
  test.for<[RedisOptions["durability"] & string, boolean]>([
    ["server", false],
    ["majority", true],
  ])(
    "durability %s: work goes on by itself within lease + 60 s, and only replication explains a loss",
    { timeout: 60_000 + FAILOVERS * 60_000 },
    async ([durability, keepsAll], { annotate }) => {
      const options = { sentinels: [...watched.sentinels], name: watched.name };
      const backend = (): ReturnType<typeof redis> => redis({ options, durability, commandTimeout: 1000 });
      const [producer, consumer] = [1, 2].map(() => new Queue<number>("load", { backend: backend(), lease: LEASE }));
      await Promise.all([producer!.ready(), consumer!.ready()]);
      const accepted = new Set<JobId>();
      const unknown: string[] = [];
      const done = new Map<JobId, number>();
      const worker = consumer!.work((job) => void done.set(job.id, (done.get(job.id) ?? 0) + 1), { concurrency: 8 });
      worker.on("error", () => undefined);
      const over = new AbortController();
      const putting = Array.from({ length: 4 }, async () => {
        for (let n = 0; !over.signal.aborted; n++) {
          try {
            accepted.add((await producer!.put(n)).id);
          } catch (error) {
            if (!isPqError(error) || error.code === "CLOSED") throw error;
            unknown.push(error.code);
          }
        }
      });
      const pauses: number[] = [];
      for (let n = 0; n < FAILOVERS; n++) {
        await eventually(() => expect(accepted.size).toBeGreaterThan(200 * (n + 1)), { patience: 20_000 });
        const old = watched.master;
        await watched.failover();
        const began = performance.now();
        const [puts, takes] = [accepted.size, done.size];
        await eventually(
          () => {
            expect(accepted.size).toBeGreaterThan(puts + 50);
            expect(done.size).toBeGreaterThan(takes + 50);
          },
          { patience: LEASE + 60_000 },
        );
        pauses.push(performance.now() - began);
        await old.start();
      }
      over.abort();
      await Promise.all(putting);
      // All leases that the old master gave and the new one does not know of are over.
      await eventually(async () => expect(await producer!.size()).toBe(0), { patience: LEASE + 20_000 });
      await worker.close();
      const lost = [...accepted].filter((id) => !done.has(id));
      const again = [...done.values()].filter((times) => times > 1).length;
      await annotate(
        `${accepted.size} accepted, ${lost.length} lost, ${again} ran again, ${unknown.length} puts failed (${[...new Set(unknown)].join()}), ` +
          `back after ${pauses.map(Math.round).join()} ms`,
      );
      expect(unknown.filter((code) => code !== "UNAVAILABLE" && code !== "OUTCOME_UNKNOWN")).toEqual([]);
      if (keepsAll) expect(lost).toEqual([]);
      // Nothing else than what was in flight to the replicas when the master died: a few calls of each producer.
      else expect(lost.length).toBeLessThan(50 * FAILOVERS);
      await Promise.all([producer!.close(), consumer!.close()]);
    },
  );
});
