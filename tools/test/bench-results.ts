/** Results of a benchmark, made up. */
import type { Outcome, RowResult, SideResult } from "../bench/queues/results.ts";
import type { Row } from "../bench/queues/row.ts";

/** By round: the figure of the first run and of the second. */
export type Runs = readonly (readonly [number, number])[];

/** A result of this row with these figures. */
export function rowResult(
  rows: readonly Row[],
  id: string,
  runs: Readonly<Record<string, Runs>>,
  figure = "rate",
): RowResult {
  const row = rows.find((one) => one.id === id)!;
  const outcome = (value: number): Outcome => ({ figures: { jobs: 1, [figure]: value }, commands: {}, problems: [] });
  const sides = Object.entries(runs).map(([side, rounds]): SideResult => ({
    side,
    title: side,
    setup: "",
    missing: {},
    node: "20",
    rounds: rounds.map(([first, second]) => [outcome(first), outcome(second)]),
  }));
  const machine = { cpu: "cpu", cores: 2, memoryGiB: 1, system: "system", disk: "disk", load: 0 };
  return { row, durability: "D0", server: "Redis", at: "2026-01-01", commit: "abc", machine, sides };
}
