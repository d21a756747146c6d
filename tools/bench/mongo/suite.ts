/** @pq/mongo beside other queues on MongoDB and beside the raw commands. */
import type { RowResult } from "../queues/results.ts";
import type { Suite } from "../queues/suite.ts";
import { verdicts } from "./goals.ts";
import { type MongoSide, rows } from "./rows.ts";
import { MeasuredMongo } from "./server.ts";

const sides: Readonly<Record<MongoSide, string>> = {
  pq: moduleOf("./sides/pq-mongo.js"),
  memory: moduleOf("../queues/sides/pq-memory.js"),
  "mongodb-queue": moduleOf("./sides/mongodb-queue.js"),
  agenda: moduleOf("./sides/agenda.js"),
  raw: moduleOf("./sides/raw.js"),
};

function moduleOf(path: string): string {
  return new URL(path, import.meta.url).href;
}

const STAND_IN = [
  "**These are figures of an emulator, not of a MongoDB.** It keeps documents in the memory of a JVM, without a journal. It has no secondary indexes: what is",
  "not asked for by `_id` alone or by the fields of a unique index is found by a scan of the collection.",
  "",
  "- They carry: that no job was lost, doubled or damaged; commands a job; bytes of documents a job; a client's CPU a job; and ratios of rates where no side scans: puts.",
  "- Ratios of drains carry in part. The other queues find each job by a scan here, and by an index on a MongoDB. A run has the fewer jobs the slower its side is",
  "  (the column says how many), so that scans are short, but a share of the lead is still theirs.",
  "- They do not carry: rates as such; how the other queues fall with the depth of a backlog; latencies; anything about disks, replication or failover. Where",
  "  @pq/mongo falls with the depth, scans are part of the reason too.",
];

/** `pnpm bench mongo`. */
export const mongoSuite: Suite = {
  name: "mongo",
  rows,
  classes: {
    D0: "memory: a stand-in for MongoDB, not a MongoDB",
    D2: "disk: every write is acknowledged by a majority and journaled",
  },
  sides,
  preface: (results: readonly RowResult[]) => (results.some(({ durability }) => durability === "D0") ? STAND_IN : []),
  serverNote:
    "on the same machine, started anew for each row unless it came from an address, its database dropped before each run",
  notes: [
    "Commands include the heartbeats of the clients.",
    "mongodb-queue puts an array by one insertMany of the jobs as they are: that is the raw command. A goal of 5 times as much as that cannot be reached by a queue.",
    "Both others are asked for at the settings named above; neither has a call that waits for a job. Agenda would have a change stream on a replica set.",
    "mongodb-queue has no workers: here they are loops of get and ack, as many as the concurrency.",
    "In a backlog row a side that has not filled its queue after 120 s is absent, and one that has not put or drained 50,000 jobs after 30 s is stopped: then the rate is that of the jobs it came to.",
    "After runs that only put, the jobs of the other queues are audited by reading their documents, ours by working on them.",
    "The raw commands keep no promise: insertOne, insertMany, find and deleteMany. They are the limit, not a rival.",
  ],
  offered: async () => {
    const server = await MeasuredMongo.start();
    await server.close();
    return [server.durability];
  },
  start: (durability) => MeasuredMongo.start(durability),
  verdicts,
};
