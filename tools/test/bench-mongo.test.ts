import { describe, expect, it } from "vitest";
import { verdicts } from "../bench/mongo/goals.ts";
import { type MongoSide, rows, TEAMS } from "../bench/mongo/rows.ts";
import { mongoSuite } from "../bench/mongo/suite.ts";
import { report } from "../bench/queues/report.ts";
import type { RowResult } from "../bench/queues/results.ts";
import { rowResult, type Runs } from "./bench-results.ts";

describe("the report on MongoDB", () => {
  const result = resultOf("putmany-1000", { pq: [[50, 50]], "mongodb-queue": [[100, 100]] });
  const reportOf = (one: RowResult): string => report(mongoSuite, { quick: false, rows: [one] }, { brief: false });

  it("says first of an emulator that it is one", () => {
    const lines = reportOf(result).split("\n");
    expect(lines[2]).toContain("figures of an emulator");
    expect(reportOf({ ...result, durability: "D2" })).not.toContain("figures of an emulator");
  });

  it("says where the other queues are ahead", () => {
    expect(reportOf(result)).toContain("our lead is 0.50");
  });

  it("says when a side was stopped", () => {
    const slow = resultOf("backlog-drain-1000000", { "mongodb-queue": [[1, 1]] });
    const [side] = slow.sides;
    const [first] = side!.rounds[0]!;
    const stopped = { ...first, figures: { ...first.figures, stopped: 30 } };
    expect(reportOf({ ...slow, sides: [{ ...side!, rounds: [[stopped, stopped]] }] })).toContain(
      "jobs/s, stopped after 30 s",
    );
  });
});

describe("the goals on MongoDB", () => {
  it("want more from more workers, but for noise", () => {
    const verdictOf = (...rates: readonly number[]): string | undefined => {
      const results = rates.map((rate, i) => resultOf(`workers-${TEAMS[i]}`, { pq: [[rate, rate]] }));
      return verdicts(results).find(({ row }) => row === "workers")?.verdict;
    };
    expect(verdictOf(10, 20, 40, 39)).toBe("met");
    expect(verdictOf(10, 20, 40, 30)).toBe("missed");
    expect(verdictOf(10, 9.5, 9.5, 9.5)).toBe("missed");
    expect(verdictOf(10, 20, 40)).toBe("not measured");
  });
});

function resultOf(id: string, runs: Partial<Record<MongoSide, Runs>>): RowResult {
  return rowResult(rows, id, runs);
}
