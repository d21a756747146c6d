/** The goals that the product has set itself on ZooKeeper, and whether the figures meet them. */
import { flatVerdict, type LeadGoal, leadVerdict, type Verdict } from "../queues/goals.ts";
import type { RowResult } from "../queues/results.ts";

const cycleGoal: LeadGoal = {
  goal: "full cycle at least 50 x kazoo LockingQueue at a backlog of 1 k",
  against: "kazoo",
  row: "cycle-c100",
  figure: "rate",
  atLeast: 50,
};

/** Every goal with its verdict. */
export function verdicts(results: readonly RowResult[]): Verdict[] {
  const depths = results.filter(({ row }) => row.shape.workload === "depth");
  return [
    leadVerdict(
      cycleGoal,
      results.find(({ row }) => row.id === cycleGoal.row),
    ),
    ...["putRate", "drainRate"].map((figure) => ({
      ...flatVerdict(`depth, ${figure}`, depths, figure),
      goal: "works and stays flat to 1 M jobs: slope of the cost per job under 0.05",
    })),
  ];
}
