/** The rows of the report on ZooKeeper. */
import { type Measure, P50, P99, RATE, type Row } from "../queues/row.ts";

/** Who takes part, one file in `sides/` for each; `memory` is for work on the benchmark itself. */
export type ZkSide = "pq" | "memory" | "kazoo" | "raw";

const QUEUES: readonly ZkSide[] = ["pq", "kazoo"];
const QUEUES_AND_RAW: readonly ZkSide[] = [...QUEUES, "raw"];

/** How deep the queues of the depth rows are. kazoo lists all jobs for each one: past 60,000 the list is more than many clients take. */
export const DEPTHS = [1_000, 10_000, 60_000, 100_000, 1_000_000] as const;
const MOST_OF_KAZOO = 60_000;
/** From here on there is one round. */
const LONG = 10_000;

/** How many processes work together, with one worker each. */
const TEAMS = [1, 2, 4] as const;

/** Jobs of 10 KB. */
const BIG = 10_000;

/** kazoo does some 100 jobs a second, and is to have windows of 3 s too. */
const LEAST = 100;

const plain = {
  jobs: "auto",
  least: LEAST,
  sides: QUEUES,
  classes: ["D0", "D2"],
  tuned: true,
  measures: [RATE],
} as const;
const main = { ...plain, sides: QUEUES_AND_RAW } as const;

const drainRow = (concurrency: number, sides: readonly ZkSide[]): Row => ({
  ...plain,
  sides,
  id: `drain-c${concurrency}`,
  title: `drain, concurrency ${concurrency}`,
  shape: { workload: "drain", concurrency },
});

const cycleRow = (concurrency: number): Row => ({
  ...plain,
  id: `cycle-c${concurrency}`,
  title: `full cycle at a backlog of 1,000: put, get and ack, ${concurrency} of each at a time`,
  shape: { workload: "cycle", inFlight: concurrency, concurrency, backlog: 1000 },
});

const mainRows: readonly Row[] = [
  { ...main, id: "put-c1", title: "put, 1 in flight", shape: { workload: "put" } },
  { ...main, id: "put-c100", title: "put, 100 in flight", shape: { workload: "put", inFlight: 100 } },
  { ...main, id: "putmany-1000", title: "1000 in one call", shape: { workload: "put-many" } },
  drainRow(1, QUEUES),
  drainRow(10, QUEUES),
  // Raw takes a node of 100 jobs at a time: less is not what it does.
  drainRow(100, QUEUES_AND_RAW),
  cycleRow(1),
  cycleRow(100),
  {
    ...plain,
    id: "latency-50",
    title: "put to handler of one waiting worker in another process, 50 jobs/s",
    shape: { workload: "latency", rate: 50, concurrency: 1, apart: true },
    jobs: 200,
    measures: [P50, P99],
  },
];

const teamRows: readonly Row[] = TEAMS.map((processes) => ({
  ...plain,
  id: `workers-${processes}`,
  title: `drain, workers of concurrency 100 in so many processes: ${processes}`,
  shape: { workload: "team", workers: processes, processes, concurrency: 100 },
}));

const bigRows: readonly Row[] = [
  {
    ...main,
    id: "big-put-c100",
    title: "put of 10 KB, 100 in flight",
    shape: { workload: "put", inFlight: 100, size: BIG },
  },
  {
    ...main,
    id: "big-drain-c100",
    title: "drain of 10 KB, concurrency 100",
    shape: { workload: "drain", concurrency: 100, size: BIG },
  },
];

const less = (figure: string, title: string, digits: number): Measure => ({ figure, title, better: "less", digits });

const DEPTH_MEASURES: readonly Measure[] = [
  { figure: "putRate", title: "put jobs/s, 100 in flight", better: "more", digits: 0 },
  { figure: "drainRate", title: "drained jobs/s, concurrency 100", better: "more", digits: 0 },
  less("sizeMs", "ms for size()", 2),
  less("openMs", "ms to open a worker", 1),
  less("clientMiB", "MiB of the client's memory", 0),
  less("serverHeapMiB", "MiB of the server's heap", 0),
];

const depthRows: readonly Row[] = DEPTHS.map((backlog) => ({
  ...plain,
  id: `depth-${backlog}`,
  title: `10,000 more and 10,000 less at a backlog of ${backlog.toLocaleString("en-US")}`,
  shape: { workload: "depth", inFlight: 100, concurrency: 100, backlog, limit: 5, fillLimit: 120 },
  jobs: 10_000,
  sides: backlog > MOST_OF_KAZOO ? ["pq"] : QUEUES,
  measures: DEPTH_MEASURES,
  weighed: true,
  long: backlog >= LONG,
}));

const idleRow: Row = {
  ...plain,
  id: "idle-64",
  title: "64 idle workers in one process, for 20 s",
  shape: { workload: "idle", workers: 64, seconds: 20 },
  jobs: 0,
  measures: [
    less("serverCommandsPerMinute", "packets to the server a minute", 0),
    less("clientCpuUs", "client CPU µs", 0),
  ],
  long: true,
};

/** All rows, in the order of the report. */
export const rows: readonly Row[] = [...mainRows, ...depthRows, ...teamRows, idleRow, ...bigRows];
