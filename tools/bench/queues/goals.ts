/** Whether the figures meet a goal. */
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

/** A lead over another side that is to be reached, in words too. */
export interface LeadGoal {
  readonly goal: string;
  readonly against: SideName;
  readonly row: string;
  readonly figure: string;
  readonly atLeast: number;
}

/** Judged by the median of the ratios. */
export function leadVerdict({ goal, against, row, figure, atLeast }: LeadGoal, result: RowResult | undefined): Verdict {
  const measure = result?.row.measures.find((one) => one.figure === figure);
  const ratios = result === undefined || measure === undefined ? [] : leads(result, against, measure);
  if (ratios.length === 0) return { goal, row, found: "", verdict: "not measured" };
  const found = spread(ratios);
  return { goal, row, found: showSpread(found), verdict: found.median >= atLeast ? "met" : "missed" };
}

const SLOPE = 0.05;

/** The cost of a job by the depth of the queue, both as logarithms: its slope. */
export function flatVerdict(row: string, results: readonly RowResult[], figure = "rate"): Verdict {
  const goal = `cost per job flat from 1 k to 1 M: slope under ${SLOPE}`;
  const points = results.flatMap((result): [number, number][] => {
    const rate = median(runsOf(sideOf(result, "pq"), figure));
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
