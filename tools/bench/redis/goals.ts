/** The goals that the product has set itself on Redis, and whether the figures meet them. */
import { median, showSpread, spread } from "../stats.ts";
import { leads, runsOf, sideOf } from "./figures.ts";
import type { RowResult } from "./results.ts";
import type { SideName } from "./spec.ts";

/** A goal, and what became of it. */
export interface Verdict {
  readonly goal: string;
  readonly row: string;
  readonly found: string;
  readonly verdict: "met" | "missed" | "not measured";
}

interface LeadGoal {
  readonly against: SideName;
  readonly row: string;
  readonly figure: string;
  readonly atLeast: number;
}

const lead = (against: SideName, row: string, atLeast: number, figure = "rate"): LeadGoal => ({
  against,
  row,
  figure,
  atLeast,
});

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
const SLOPE = 0.05;

/** Every goal with its verdict, by the rows in memory. */
export function verdicts(results: readonly RowResult[]): Verdict[] {
  const inMemory = results.filter(({ durability }) => durability === "D0");
  const rowOf = (id: string): RowResult | undefined => inMemory.find(({ row }) => row.id === id);
  return [
    ...leadGoals.map((goal) => leadVerdict(goal, rowOf(goal.row))),
    bytesVerdict(rowOf("bytes")),
    ...["put", "drain"].map((what) =>
      flatVerdict(
        `backlog-${what}`,
        inMemory.filter(({ row }) => row.id.startsWith(`backlog-${what}-`)),
      ),
    ),
  ];
}

function leadVerdict({ against, row, figure, atLeast }: LeadGoal, result: RowResult | undefined): Verdict {
  const rival = { bullmq: "BullMQ", bee: "bee-queue", raw: "the raw commands" }[against as "bullmq" | "bee" | "raw"];
  const about = figure === "rate" ? "" : ` (${figure})`;
  const goal = against === "raw" ? `at least ${atLeast} of ${rival}` : `at least ${atLeast} x ${rival}${about}`;
  const measure = result?.row.measures.find((one) => one.figure === figure);
  const ratios = result === undefined || measure === undefined ? [] : leads(result, against, measure);
  if (ratios.length === 0) return { goal, row, found: "", verdict: "not measured" };
  const found = spread(ratios);
  return { goal, row, found: showSpread(found), verdict: found.median >= atLeast ? "met" : "missed" };
}

function bytesVerdict(result: RowResult | undefined): Verdict {
  const goal = `at most ${BYTES} bytes for a queued job of 100`;
  const sizes = result === undefined ? [] : runsOf(sideOf(result, "pq"), "bytesPerJobLater");
  if (sizes.length === 0) return { goal, row: "bytes", found: "", verdict: "not measured" };
  const found = spread(sizes);
  return { goal, row: "bytes", found: showSpread(found, 0), verdict: found.median <= BYTES ? "met" : "missed" };
}

/** The cost of a job by the depth of the queue, both as logarithms: its slope. */
function flatVerdict(row: string, results: readonly RowResult[]): Verdict {
  const goal = `cost per job flat from 1 k to 1 M: slope under ${SLOPE}`;
  const points = results.flatMap((result): [number, number][] => {
    const rate = median(runsOf(sideOf(result, "pq"), "rate"));
    return Number.isFinite(rate) ? [[Math.log(result.row.shape.backlog!), -Math.log(rate)]] : [];
  });
  if (points.length < 4) return { goal, row, found: "", verdict: "not measured" };
  const slope = slopeOf(points);
  return { goal, row, found: `slope ${slope.toFixed(3)}`, verdict: slope < SLOPE ? "met" : "missed" };
}

/** Least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
