/** The death of a primary, which needs a replica set of three: where there is none, this is not tested. */
import { Queue } from "@pq/core";
import { type Backend, isPqError, type JobId, newRequestId, type PutParams } from "@pq/core/backend";
import { eventually, newJob } from "@pq/core/testing";
import { genuine, type MongoReplicaSet, startMongoReplicaSet } from "@pq/services";
import { MongoClient } from "mongodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mongo, type MongoOptions } from "../src/index.ts";
import { code, ownDatabase } from "./support.ts";

const there = await genuine("mongo", ["container", "program"]);
const FAILOVERS = Number(process.env["PQ_FAILOVERS"] ?? 2);
const LEASE = 2000;
/** How long an election and what follows from it may take, in ms. */
const PATIENCE = 60_000;

describe.skipIf(!there.available)(`the death of a primary ${there.reason}`, () => {
  let set: MongoReplicaSet;
  let db: string;

  beforeAll(async () => {
    set = await startMongoReplicaSet({ members: 3 });
  }, 120_000);
  afterAll(async () => set?.close());
  beforeEach(() => {
    db = ownDatabase();
  });

  const unopened = (options: MongoOptions = { url: set.url }): Backend =>
    mongo({ commandTimeout: 1000, db, ...options });

  /** Kill the primary. Resolves once there is another one and the old one follows it. */
  async function loseAPrimary(): Promise<void> {
    const old = await set.primary();
    await set.failover();
    await old.start();
  }

  test(
    "under load no accepted job is lost, none is acked twice, and the workers go on by themselves",
    { timeout: 60_000 + FAILOVERS * 2 * PATIENCE },
    async ({ annotate }) => {
      const settings = { lease: LEASE, defaults: { maxAttempts: 100 } };
      const queues = Array.from({ length: 3 }, () => new Queue<number>("load", { ...settings, backend: unopened() }));
      await Promise.all(queues.map((queue) => queue.ready()));
      const [producer, ...consumers] = queues;
      expect(queues.map(({ guarantees }) => guarantees?.durability)).toEqual(["majority", "majority", "majority"]);
      const accepted = new Set<JobId>();
      const failed: string[] = [];
      const done = new Map<JobId, number>();
      const workers = consumers.map((queue) => {
        const worker = queue.work((job) => void done.set(job.id, (done.get(job.id) ?? 0) + 1), { concurrency: 8 });
        worker.on("error", () => undefined);
        return worker;
      });
      const over = new AbortController();
      const putting = Array.from({ length: 4 }, async () => {
        for (let n = 0; !over.signal.aborted; n++) {
          try {
            accepted.add((await producer!.put(n)).id);
          } catch (error) {
            if (!isPqError(error) || error.code === "CLOSED") throw error;
            failed.push(error.code);
          }
        }
      });
      for (let n = 1; n <= FAILOVERS; n++) {
        await eventually(() => expect(accepted.size).toBeGreaterThan(100 * n), { patience: PATIENCE });
        await loseAPrimary();
        const [puts, runs] = [accepted.size, done.size];
        await eventually(
          () => {
            expect(accepted.size).toBeGreaterThan(puts + 50);
            expect(done.size).toBeGreaterThan(runs + 50);
          },
          { patience: PATIENCE },
        );
      }
      over.abort();
      await Promise.all(putting);
      await eventually(async () => expect(await producer!.size()).toBe(0), { patience: PATIENCE });
      await Promise.all(workers.map((worker) => worker.close()));
      const again = [...done.values()].filter((times) => times > 1).length;
      await annotate(`${accepted.size} accepted, ${again} ran again, ${failed.length} puts failed`);
      expect([...accepted].filter((id) => !done.has(id))).toEqual([]);
      const { counters } = await producer!.stats();
      expect(counters.put).toBeGreaterThanOrEqual(accepted.size);
      expect(counters.ack).toBe(counters.put);
      expect(failed.filter((each) => each !== "UNAVAILABLE" && each !== "OUTCOME_UNKNOWN")).toEqual([]);
      await Promise.all(queues.map((queue) => queue.close()));
    },
  );

  test(
    "what is called meanwhile fails as such, and is done once when it is made again",
    { timeout: 120_000 },
    async () => {
      const backend = unopened();
      await backend.open({ report: () => undefined });
      const queue = new Queue<number>("patient", { backend: unopened() });
      await queue.ready();
      const again: PutParams[] = [];
      const codes = new Set<string>();
      let puts = 0;
      let asked: Promise<unknown> | undefined;
      const back = new AbortController();
      const losing = loseAPrimary().finally(() => back.abort());
      for (; !back.signal.aborted; puts++) {
        const plain = { after: null, maxSize: null, partial: false, transaction: null };
        const params = { ...plain, request: newRequestId(), queue: "q", jobs: [newJob()] };
        const result = await code(backend.put(params));
        codes.add(result);
        if (result === "done") continue;
        again.push(params);
        asked ??= queue.put(1);
      }
      await losing;
      expect(again.length).toBeGreaterThan(0);
      expect([...codes].filter((each) => !["done", "UNAVAILABLE", "OUTCOME_UNKNOWN"].includes(each))).toEqual([]);
      for (const params of again) expect(await backend.put(params)).toEqual([{ status: "added" }]);
      const { ready, counters } = await backend.stats("q");
      expect([ready, counters.put]).toEqual([puts, puts]);
      // The core has made its call again by itself.
      await asked;
      expect(await queue.size()).toBe(1);
      await Promise.all([backend.close(), queue.close()]);
    },
  );

  describe("with a change stream", () => {
    let client: MongoClient;
    let over: AbortController;

    beforeEach(() => {
      client = new MongoClient(set.url, { monitorCommands: true });
      over = new AbortController();
    });
    afterEach(async () => {
      over.abort();
      await client.close();
    });

    test("changes are told again afterwards", { timeout: 60_000 + 2 * PATIENCE }, async () => {
      let told = 0;
      let answers = 0;
      client.on("commandSucceeded", ({ commandName, reply }) => {
        if (commandName !== "getMore") return;
        answers++;
        told += (reply as { cursor: { nextBatch: readonly unknown[] } }).cursor.nextBatch.length;
      });
      const [waiter, producer] = [unopened({ client }), new Queue<number>("q", { backend: unopened() })];
      await waiter.open({ report: () => undefined });
      await producer.ready();
      const wait = (): Promise<void> => waiter.wait({ queue: "q", timeout: PATIENCE, signal: over.signal });
      wait().catch(() => undefined); // until the primary is gone
      await eventually(() => expect(answers).toBeGreaterThan(0), { patience: PATIENCE });
      await loseAPrimary();
      const before = answers;
      await eventually(() => expect(answers).toBeGreaterThan(before), { patience: PATIENCE });
      const [ended, silent] = [wait(), told];
      ended.catch(() => undefined);
      await producer.put(1);
      await eventually(() => expect(told).toBeGreaterThan(silent), { patience: PATIENCE });
      await ended;
      await Promise.all([waiter.close(), producer.close()]);
    });
  });
});
