/** Failover needs real servers: it is not run where only a stand-in is to be had. */
import { MongoClient } from "mongodb";
import { afterAll, describe, expect, it } from "vitest";
import { genuine, startMongoReplicaSet, stopEngine } from "../index.ts";
import { listens } from "./support.ts";

const LONG = 120_000;
const { available: isThere, reason } = await genuine("mongo", ["container", "program"]);

afterAll(stopEngine, LONG);

describe.skipIf(!isThere)(`a replica set${reason === "" ? "" : `: ${reason}`}`, () => {
  it(
    "has a new primary when the old one is killed, twice over, and loses no acknowledged write",
    { timeout: LONG },
    async () => {
      const set = await startMongoReplicaSet();
      const client = new MongoClient(set.url, { writeConcern: { w: "majority" } });
      try {
        expect(set.members).toHaveLength(3);
        const jobs = client.db("test").collection<{ _id: string }>("jobs");
        await jobs.insertOne({ _id: "before" });

        const first = await set.primary();
        const second = await set.failover();
        expect(second).not.toBe(first);
        expect(await set.primary()).toBe(second);
        await jobs.insertOne({ _id: "between" });

        await first.start();
        await set.failover();
        await jobs.insertOne({ _id: "after" });
        expect(await jobs.distinct("_id")).toEqual(["after", "before", "between"]);
      } finally {
        await client.close();
        await set.close();
      }
      expect(await Promise.all(set.members.map(listens))).toEqual([false, false, false]);
    },
  );
});
