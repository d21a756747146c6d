/** @pq/zk beside kazoo's LockingQueue and beside the raw commands. */
import type { Suite } from "../queues/suite.ts";
import { verdicts } from "./goals.ts";
import { rows, type ZkSide } from "./rows.ts";
import { classes, MeasuredZk } from "./server.ts";

const sides: Readonly<Record<ZkSide, string>> = {
  pq: moduleOf("./sides/pq-zk.js"),
  memory: moduleOf("../queues/sides/pq-memory.js"),
  kazoo: moduleOf("./sides/kazoo.js"),
  raw: moduleOf("./sides/raw.js"),
};

function moduleOf(path: string): string {
  return new URL(path, import.meta.url).href;
}

/** `pnpm bench zk`. */
export const zkSuite: Suite = {
  name: "zk",
  rows,
  classes,
  sides,
  preface: () => [],
  serverNote: "on the same machine, started anew for each row, emptied before each run",
  notes: [
    "Commands are the packets that the server received, pings too.",
    "kazoo is in Python: another language, another client. Each of its jobs also passes a pipe between Node and Python on the way in and on the way out, which is in its times.",
    "kazoo asks for the names of all jobs to get one. A run has the fewer jobs the slower its side is, so that kazoo's queues are short where the row names no backlog.",
    "A LockingQueue holds one job: for a concurrency of 100 there are 100 of them, which is not faster than a few.",
    "In a depth row a side that has not put or drained its jobs after 5 s is stopped: then the rate is that of the jobs it came to.",
    "Depth rows from 10,000 and the idle row have one round of two runs for each side.",
    "To open a worker is to connect, and for @pq/zk to read the queue; for kazoo it is to start Python too.",
    "The heap is what lives in the server after a collection; the client's memory is all of its processes.",
    "After runs that only put, kazoo's jobs are audited by reading its nodes, ours by working on them.",
    "The raw commands keep no promise: create, get and delete of nodes with 100 jobs. They are the limit, not a rival.",
  ],
  offered: async () => ["D2"],
  start: (durability) => MeasuredZk.start(durability),
  verdicts,
};
