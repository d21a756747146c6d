/** The goals that the product has set itself on Tarantool, and whether the figures meet them. */
import { flatVerdict, type LeadGoal, leadVerdict, type Verdict } from "../queues/goals.ts";
import type { RowResult } from "../queues/results.ts";
import type { TarantoolSide } from "./rows.ts";

const RIVALS = { queue: "tarantool/queue", raw: "the raw calls" } as const;

function lead(against: TarantoolSide & keyof typeof RIVALS, row: string, atLeast: number): LeadGoal {
  const goal = `at least ${atLeast} ${against === "raw" ? "of" : "x"} ${RIVALS[against]}`;
  return { goal, against, row, figure: "rate", atLeast };
}

const leadGoals: readonly LeadGoal[] = [
  lead("queue", "put-c100", 1.5),
  lead("queue", "drain-c10", 4),
  lead("queue", "drain-c100", 4),
  lead("raw", "put-c100", 0.5),
  lead("raw", "putmany-1000", 0.5),
  lead("raw", "drain-c100", 0.5),
];

/** Every goal with its verdict, by the rows whose log is written and not synced. */
export function verdicts(results: readonly RowResult[]): Verdict[] {
  const written = results.filter(({ durability }) => durability === "D1");
  const rowOf = (id: string): RowResult | undefined => written.find(({ row }) => row.id === id);
  return [
    ...leadGoals.map((goal) => leadVerdict(goal, rowOf(goal.row))),
    ...["backlog-put", "backlog-drain"].map((name) =>
      flatVerdict(
        name,
        written.filter(({ row }) => row.id.startsWith(`${name}-`)),
      ),
    ),
  ];
}
