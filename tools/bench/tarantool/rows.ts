/** The rows of the report on Tarantool. */
import { CLIENT_CPU, DEPTHS, P50, P99, RATE, type Row, SERVER_COMMANDS } from "../queues/row.ts";
import type { DurabilityClass } from "../queues/spec.ts";

/** Who takes part, one file in `sides/` for each; `memory` is for work on the benchmark itself. */
export type TarantoolSide = "pq" | "memory" | "queue" | "raw" | "raw-marked";

const QUEUES: readonly TarantoolSide[] = ["pq", "queue"];
const QUEUES_AND_RAW: readonly TarantoolSide[] = [...QUEUES, "raw"];
const ALL: readonly TarantoolSide[] = [...QUEUES_AND_RAW, "raw-marked"];
const BOTH: readonly DurabilityClass[] = ["D1", "D2"];

/** Jobs of 10 KB. */
const BIG = 10_000;

/** How many groups are busy. */
const GROUPS = 10;

/** The log written but not synced, tuned, jobs by the clock: what a row is when it says nothing else. */
const plain = { jobs: "auto", sides: QUEUES, classes: ["D1"], tuned: true, measures: [RATE] } as const;
const main = { ...plain, sides: QUEUES_AND_RAW } as const;

const mainRows: readonly Row[] = [
  { ...main, id: "put-c1", title: "put, 1 in flight", shape: { workload: "put" } },
  { ...main, classes: BOTH, id: "put-c100", title: "put, 100 in flight", shape: { workload: "put", inFlight: 100 } },
  { ...main, id: "putmany-1000", title: "1000 in one call", shape: { workload: "put-many" } },
  { ...main, id: "drain-c1", title: "drain, concurrency 1", shape: { workload: "drain" } },
  { ...main, id: "drain-c10", title: "drain, concurrency 10", shape: { workload: "drain", concurrency: 10 } },
  {
    ...main,
    sides: ALL,
    classes: BOTH,
    id: "drain-c100",
    title: "drain, concurrency 100",
    shape: { workload: "drain", concurrency: 100 },
  },
  {
    ...plain,
    id: "cycle-c100",
    title: "put 100 in flight and work at concurrency 100 at once",
    shape: { workload: "cycle", inFlight: 100, concurrency: 100 },
  },
  ...[250, 1000].map((rate): Row => ({
    ...plain,
    id: `latency-${rate}`,
    title: `put to handler, ${rate} jobs/s`,
    shape: { workload: "latency", rate },
    jobs: rate * 5,
    measures: [P50, P99],
  })),
];

/** The driver of tarantool/queue fails with large answers. */
const bigRows: readonly Row[] = [
  {
    ...main,
    sides: ["pq", "raw"],
    id: "big-put-c100",
    title: "put, 100 in flight, 10 KB",
    shape: { workload: "put", inFlight: 100, size: BIG },
  },
  {
    ...main,
    sides: ["pq", "raw"],
    id: "big-drain-c100",
    title: "drain, concurrency 100, 10 KB",
    shape: { workload: "drain", concurrency: 100, size: BIG },
  },
];

const otherRows: readonly Row[] = [
  {
    ...plain,
    id: "delayed",
    title: "lateness of 10,000 jobs due over 5 s",
    shape: { workload: "delayed", seconds: 5, concurrency: 100 },
    jobs: 10_000,
    measures: [P50, P99],
  },
  {
    ...plain,
    id: "failures",
    title: "drain, concurrency 100, 5 % fail once",
    shape: { workload: "drain", concurrency: 100, failEvery: 20 },
  },
  {
    ...plain,
    id: "idle-64",
    title: "64 idle workers in one process, for a minute",
    shape: { workload: "idle", workers: 64, seconds: 60 },
    jobs: 0,
    measures: [SERVER_COMMANDS, CLIENT_CPU],
    long: true,
  },
  {
    ...plain,
    sides: QUEUES_AND_RAW,
    id: "bytes",
    title: "memory of 200,000 queued jobs",
    shape: { workload: "put-many" },
    jobs: 200_000,
    measures: [
      { figure: "bytesPerJob", title: "bytes/job at once", better: "less", digits: 0 },
      { figure: "bytesPerJobLater", title: "bytes/job after 65 s", better: "less", digits: 0 },
    ],
    later: 65,
    long: true,
  },
];

const groupRow = (each: number): Row => ({
  ...plain,
  id: `groups-${each}`,
  title: `drain of ${GROUPS} busy groups of ${each.toLocaleString("en-US")}, concurrency ${GROUPS}`,
  shape: { workload: "drain", concurrency: GROUPS, groups: GROUPS },
  jobs: GROUPS * each,
});

/** The default storage of utube reads all jobs of the busy groups for each one: hours for the others. */
const groupRows: readonly Row[] = [
  { ...groupRow(100), id: "groups-defaults-100", title: `${groupRow(100).title}: defaults`, tuned: false },
  {
    ...groupRow(1000),
    id: "groups-defaults-1000",
    title: `${groupRow(1000).title}: defaults`,
    tuned: false,
    long: true,
  },
  groupRow(1000),
  groupRow(10_000),
  { ...groupRow(100_000), long: true },
];

/** The same number of jobs at each depth, so that windows are alike. */
const backlogRows: readonly Row[] = DEPTHS.flatMap((backlog): readonly Row[] => {
  const rest = { ...plain, jobs: 50_000 };
  const depth = backlog.toLocaleString("en-US");
  return [
    {
      ...rest,
      id: `backlog-put-${backlog}`,
      title: `put 50,000, 100 in flight, onto ${depth}`,
      shape: { workload: "put", inFlight: 100, backlog },
    },
    {
      ...rest,
      id: `backlog-drain-${backlog}`,
      title: `drain, concurrency 100, the first 50,000 of 50,000 and ${depth}`,
      shape: { workload: "drain", concurrency: 100, backlog },
    },
  ];
});

/** All rows, in the order of the report. */
export const rows: readonly Row[] = [...mainRows, ...bigRows, ...otherRows, ...groupRows, ...backlogRows];
