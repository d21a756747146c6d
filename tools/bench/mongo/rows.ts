/** The rows of the report on MongoDB. */
import { CLIENT_CPU, DEPTHS, P50, P99, RATE, type Row, SERVER_COMMANDS } from "../queues/row.ts";

/** Who takes part, one file in `sides/` for each; `memory` is for work on the benchmark itself. */
export type MongoSide = "pq" | "memory" | "mongodb-queue" | "agenda" | "raw";

const QUEUES: readonly MongoSide[] = ["pq", "mongodb-queue", "agenda"];
const QUEUES_AND_RAW: readonly MongoSide[] = [...QUEUES, "raw"];

/** How many workers drain together, in as many processes or in one. */
export const TEAMS = [1, 4, 16, 64] as const;
const MOST_PROCESSES = 4;

/** In seconds: where a backlog row leaves those who are not done, and those whose queue is not full. */
const LIMITS = { limit: 30, fillLimit: 120 } as const;

/** Tuned, jobs by the clock, all queues: what a row is when it says nothing else. The class is that of the server that is there. */
const plain = { jobs: "auto", sides: QUEUES, classes: ["D0", "D2"], tuned: true, measures: [RATE] } as const;
const main = { ...plain, sides: QUEUES_AND_RAW } as const;

const CONCURRENCIES = [1, 10, 100] as const;

const drainRows: readonly Row[] = CONCURRENCIES.map((concurrency) => ({
  ...main,
  id: `drain-c${concurrency}`,
  title: `drain, concurrency ${concurrency}`,
  shape: { workload: "drain", concurrency },
}));

const drainSinglyRows: readonly Row[] = CONCURRENCIES.map((concurrency) => ({
  ...plain,
  id: `singles-drain-c${concurrency}`,
  title: `drain of jobs that were put one by one, 100 in flight, concurrency ${concurrency}`,
  shape: { workload: "drain", concurrency, singly: true },
}));

const mainRows: readonly Row[] = [
  { ...main, id: "put-c1", title: "put, 1 in flight", shape: { workload: "put" } },
  { ...main, id: "put-c100", title: "put, 100 in flight", shape: { workload: "put", inFlight: 100 } },
  { ...main, id: "putmany-1000", title: "1000 in one call, @pq/mongo in 4 at once", shape: { workload: "put-many" } },
  ...drainRows,
  ...drainSinglyRows,
  {
    ...plain,
    id: "cycle",
    title: "put 100 in flight and work at concurrency 100 at once",
    shape: { workload: "cycle", inFlight: 100, concurrency: 100 },
  },
  ...[50, 250].map((rate): Row => ({
    ...plain,
    id: `latency-${rate}`,
    title: `put to handler, ${rate} jobs/s`,
    shape: { workload: "latency", rate },
    jobs: rate * 5,
    measures: [P50, P99],
  })),
];

const teamRow = (id: string, workers: number, processes: number): Row => ({
  ...plain,
  id,
  title: `drain, concurrency 16 each, workers: ${workers}, processes: ${processes}`,
  shape: { workload: "team", workers, processes, concurrency: 16 },
});

const teamRows: readonly Row[] = [
  ...TEAMS.map((workers) => teamRow(`workers-${workers}`, workers, Math.min(workers, MOST_PROCESSES))),
  ...TEAMS.map((workers) => teamRow(`crowd-${workers}`, workers, 1)),
];

const otherRows: readonly Row[] = [
  {
    ...plain,
    id: "delayed",
    title: "lateness of 1,000 jobs due over 5 s",
    shape: { workload: "delayed", seconds: 5, concurrency: 100 },
    jobs: 1000,
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
  },
  {
    ...main,
    id: "bytes",
    title: "documents of 100,000 queued jobs",
    shape: { workload: "put-many" },
    jobs: 100_000,
    measures: [{ figure: "bytesPerJob", title: "bytes/job, without indexes", better: "less", digits: 0 }],
    later: 0,
  },
];

/** Ours is to put and drain the same number of jobs at each depth, so that windows are alike; others come as far as they come. */
const backlogRows: readonly Row[] = DEPTHS.flatMap((backlog): readonly Row[] => {
  const depth = backlog.toLocaleString("en-US");
  return [
    {
      ...plain,
      jobs: 50_000,
      id: `backlog-put-${backlog}`,
      title: `put 50,000, 100 in flight, onto ${depth}`,
      shape: { workload: "put", inFlight: 100, backlog, ...LIMITS },
    },
    {
      ...plain,
      jobs: 50_000,
      id: `backlog-drain-${backlog}`,
      title: `drain, concurrency 100, the first 50,000 of 50,000 and ${depth}`,
      shape: { workload: "drain", concurrency: 100, backlog, ...LIMITS },
    },
  ];
});

const defaultRows: readonly Row[] = ["put-c100", "drain-c10", "latency-50", "idle-64"].map((id) => {
  const row = [...mainRows, ...otherRows].find((one) => one.id === id)!;
  return { ...row, id: `defaults-${id}`, title: `${row.title}: defaults`, sides: QUEUES, tuned: false };
});

/** All rows, in the order of the report. */
export const rows: readonly Row[] = [...mainRows, ...teamRows, ...otherRows, ...backlogRows, ...defaultRows];
