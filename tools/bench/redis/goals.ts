/** The goals that the product has set itself on Redis, and whether the figures meet them. */
import { runsOf, sideOf } from "../queues/figures.ts";
import { flatVerdict, type LeadGoal, leadVerdict, type Verdict } from "../queues/goals.ts";
import type { RowResult } from "../queues/results.ts";
import { showSpread, spread } from "../stats.ts";
import type { RedisSide } from "./rows.ts";

const RIVALS = { bullmq: "BullMQ", bee: "bee-queue", raw: "the raw commands" } as const;

function lead(against: RedisSide & keyof typeof RIVALS, row: string, atLeast: number, figure = "rate"): LeadGoal {
  const about = figure === "rate" ? "" : ` (${figure})`;
  const goal = `at least ${atLeast} ${against === "raw" ? "of" : "x"} ${RIVALS[against]}${about}`;
  return { goal, against, row, figure, atLeast };
}

const leadGoals: readonly LeadGoal[] = [
  lead("bullmq", "putmany-1000", 8),
  lead("bullmq", "put-c100", 4),
  lead("bullmq", "drain-c100", 6),
  lead("bullmq", "drain-c1", 2),
  lead("bee", "put-c1", 1),
  lead("bee", "put-c100", 1),
  lead("bee", "putmany-1000", 1),
  lead("bee", "drain-c1", 4),
  lead("bee", "drain-c10", 4),
  lead("bee", "drain-c100", 4),
  lead("bee", "cycle", 1),
  lead("bee", "latency-250", 1, "p50"),
  lead("bee", "latency-250", 1, "p99"),
  lead("bee", "latency-1000", 1, "p50"),
  lead("bee", "latency-1000", 1, "p99"),
  lead("bee", "put-10k-c100", 1),
  lead("bee", "putmany-10k-100", 1),
  lead("bee", "drain-10k-c100", 1),
  lead("bee", "delayed", 1, "p99"),
  lead("bee", "failures", 1),
  lead("raw", "putmany-1000", 0.4),
  lead("raw", "drain-c100", 0.4),
];

const BYTES = 200;

/** Every goal with its verdict, by the rows in memory. */
export function verdicts(results: readonly RowResult[]): Verdict[] {
  const inMemory = results.filter(({ durability }) => durability === "D0");
  const rowOf = (id: string): RowResult | undefined => inMemory.find(({ row }) => row.id === id);
  return [
    ...leadGoals.map((goal) => leadVerdict(goal, rowOf(goal.row))),
    bytesVerdict(rowOf("bytes")),
    ...["backlog-put", "backlog-drain"].map((name) =>
      flatVerdict(
        name,
        inMemory.filter(({ row }) => row.id.startsWith(`${name}-`)),
      ),
    ),
  ];
}

function bytesVerdict(result: RowResult | undefined): Verdict {
  const goal = `at most ${BYTES} bytes for a queued job of 100`;
  const sizes = result === undefined ? [] : runsOf(sideOf(result, "pq"), "bytesPerJobLater");
  if (sizes.length === 0) return { goal, row: "bytes", found: "", verdict: "not measured" };
  const found = spread(sizes);
  return { goal, row: "bytes", found: showSpread(found, 0), verdict: found.median <= BYTES ? "met" : "missed" };
}
