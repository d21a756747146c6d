/** The goals that the product has set itself on MongoDB, and whether the figures meet them. */
import { runsOf, sideOf } from "../queues/figures.ts";
import { flatVerdict, type LeadGoal, leadVerdict, type Verdict } from "../queues/goals.ts";
import type { RowResult } from "../queues/results.ts";
import { median } from "../stats.ts";
import { type MongoSide, TEAMS } from "./rows.ts";

const RIVALS = { "mongodb-queue": "mongodb-queue", agenda: "Agenda" } as const satisfies Partial<
  Record<MongoSide, string>
>;

const lead = (against: keyof typeof RIVALS, row: string, atLeast: number): LeadGoal => ({
  goal: `at least ${atLeast} x ${RIVALS[against]}`,
  against,
  row,
  figure: "rate",
  atLeast,
});

const DRAINS = ["drain-c1", "drain-c10", "drain-c100", "singles-drain-c1", "singles-drain-c10", "singles-drain-c100"];

const leadGoals: readonly LeadGoal[] = (["mongodb-queue", "agenda"] as const).flatMap((against) => [
  ...DRAINS.map((row) => lead(against, row, 10)),
  lead(against, "putmany-1000", 5),
]);

/** Every goal with its verdict. */
export function verdicts(results: readonly RowResult[]): Verdict[] {
  const rowOf = (id: string): RowResult | undefined => results.find(({ row }) => row.id === id);
  return [
    ...leadGoals.map((goal) => leadVerdict(goal, rowOf(goal.row))),
    ...["backlog-put", "backlog-drain"].map((name) =>
      flatVerdict(
        name,
        results.filter(({ row }) => row.id.startsWith(`${name}-`)),
      ),
    ),
    ...["workers", "crowd"].map((name) =>
      risesVerdict(
        name,
        TEAMS.map((workers) => rowOf(`${name}-${workers}`)),
      ),
    ),
  ];
}

/** A step may fall by so much: the machine is not quiet enough for less. */
const NOISE = 0.1;

function risesVerdict(row: string, results: readonly (RowResult | undefined)[]): Verdict {
  const goal = `more jobs/s from ${TEAMS.join(" to ")} workers`;
  const rates = results.map((result) => median(result === undefined ? [] : runsOf(sideOf(result, "pq"), "rate")));
  if (rates.some((rate) => Number.isNaN(rate))) return { goal, row, found: "", verdict: "not measured" };
  const rises = rates.at(-1)! > rates[0]! && rates.every((rate, i) => i === 0 || rate > rates[i - 1]! * (1 - NOISE));
  const found = rates.map((rate) => Math.round(rate).toLocaleString("en-US")).join(", ");
  return { goal, row, found, verdict: rises ? "met" : "missed" };
}
