/** The rows of the report on Redis. */
import { CLIENT_CPU, DEPTHS, P50, P99, RATE, type Row, SERVER_COMMANDS } from "../queues/row.ts";
import type { DurabilityClass } from "../queues/spec.ts";

/** Who takes part, one file in `sides/` for each; `memory` is for work on the benchmark itself. */
export type RedisSide = "pq" | "memory" | "bullmq" | "bee" | "boringnode" | "raw";

const QUEUES: readonly RedisSide[] = ["pq", "bullmq", "bee", "boringnode"];
const QUEUES_AND_RAW: readonly RedisSide[] = [...QUEUES, "raw"];
const FAST: readonly RedisSide[] = ["pq", "bullmq", "bee"];
const BOTH: readonly DurabilityClass[] = ["D0", "D2"];

/** In memory, tuned, jobs by the clock, all queues: what a row is when it says nothing else. */
const plain = { jobs: "auto", sides: QUEUES, classes: ["D0"], tuned: true, measures: [RATE] } as const;
const main = { ...plain, classes: BOTH, sides: QUEUES_AND_RAW } as const;

const mainRows: readonly Row[] = [
  { ...main, id: "put-c1", title: "put, 1 in flight", shape: { workload: "put" } },
  { ...main, id: "put-c100", title: "put, 100 in flight", shape: { workload: "put", inFlight: 100 } },
  { ...main, id: "putmany-1000", title: "1000 in one call", shape: { workload: "put-many" } },
  { ...main, id: "drain-c1", title: "drain, concurrency 1", shape: { workload: "drain" } },
  { ...main, id: "drain-c10", title: "drain, concurrency 10", shape: { workload: "drain", concurrency: 10 } },
  { ...main, id: "drain-c100", title: "drain, concurrency 100", shape: { workload: "drain", concurrency: 100 } },
  {
    ...main,
    sides: QUEUES,
    id: "cycle",
    title: "put 100 in flight and work at concurrency 100 at once",
    shape: { workload: "cycle", inFlight: 100, concurrency: 100 },
  },
  ...[250, 1000].map((rate): Row => ({
    ...main,
    id: `latency-${rate}`,
    title: `put to handler, ${rate} jobs/s`,
    shape: { workload: "latency", rate },
    jobs: rate * 5,
    measures: [P50, P99],
  })),
];

const bigRows: readonly Row[] = [
  {
    ...plain,
    sides: QUEUES_AND_RAW,
    id: "put-10k-c100",
    title: "put, 100 in flight, 10 KB",
    shape: { workload: "put", inFlight: 100, size: 10_000 },
  },
  {
    ...plain,
    sides: QUEUES_AND_RAW,
    id: "putmany-10k-100",
    title: "100 in one call, 10 KB",
    shape: { workload: "put-many", batch: 100, size: 10_000 },
  },
  {
    ...plain,
    sides: QUEUES_AND_RAW,
    id: "drain-10k-c100",
    title: "drain, concurrency 100, 10 KB",
    shape: { workload: "drain", concurrency: 100, size: 10_000 },
  },
];

const otherRows: readonly Row[] = [
  {
    ...plain,
    id: "priority-putmany",
    title: "1000 in one call, 10 priorities",
    shape: { workload: "put-many", priorities: 10 },
  },
  {
    ...plain,
    id: "priority-drain",
    title: "drain, concurrency 100, 10 priorities",
    shape: { workload: "drain", concurrency: 100, priorities: 10 },
  },
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
    sides: FAST,
    id: "idle-64",
    title: "64 idle workers in one process, for a minute",
    shape: { workload: "idle", workers: 64, seconds: 60 },
    jobs: 0,
    measures: [SERVER_COMMANDS, CLIENT_CPU],
  },
  {
    ...plain,
    id: "bytes",
    title: "memory of 200,000 queued jobs",
    shape: { workload: "put-many" },
    jobs: 200_000,
    measures: [
      { figure: "bytesPerJob", title: "bytes/job at once", better: "less", digits: 0 },
      { figure: "bytesPerJobLater", title: "bytes/job after 65 s", better: "less", digits: 0 },
    ],
    later: 65,
  },
];

/** The same number of jobs at each depth, so that windows are alike. */
const backlogRows: readonly Row[] = DEPTHS.flatMap((backlog): readonly Row[] => {
  const rest = { ...plain, sides: FAST, jobs: 50_000 };
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

const defaultRows: readonly Row[] = ["put-c1", "put-c100", "putmany-1000", "drain-c1", "drain-c10", "cycle"].map(
  (id) => {
    const row = mainRows.find((one) => one.id === id)!;
    return {
      ...row,
      id: `defaults-${id}`,
      title: `${row.title}: defaults`,
      classes: ["D0"],
      sides: QUEUES,
      tuned: false,
    };
  },
);

/** All rows, in the order of the report. */
export const rows: readonly Row[] = [...mainRows, ...bigRows, ...otherRows, ...backlogRows, ...defaultRows];
