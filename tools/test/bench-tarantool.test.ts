import { describe, expect, it } from "vitest";
import { report } from "../bench/queues/report.ts";
import type { RowResult } from "../bench/queues/results.ts";
import { DEPTHS } from "../bench/queues/row.ts";
import { Jobs, targetOf } from "../bench/queues/workload.ts";
import { verdicts } from "../bench/tarantool/goals.ts";
import { rows, type TarantoolSide } from "../bench/tarantool/rows.ts";
import { tarantoolSuite } from "../bench/tarantool/suite.ts";
import { rowResult, type Runs } from "./bench-results.ts";

describe("the goals on Tarantool", () => {
  const verdictOf = (results: readonly RowResult[], goal: string): string | undefined =>
    verdicts(results).find((one) => one.goal.includes(goal))?.verdict;

  it("want four times the drain of tarantool/queue, and half of the raw calls", () => {
    const drain = (ours: number): RowResult[] => [
      resultOf("drain-c100", { pq: [[ours, ours]], queue: [[100, 100]], raw: [[1000, 1000]] }),
    ];
    const judged = (ours: number): (string | undefined)[] =>
      verdicts(drain(ours))
        .filter(({ row }) => row === "drain-c100")
        .map(({ verdict }) => verdict);
    expect(judged(500)).toEqual(["met", "met"]);
    expect(judged(450)).toEqual(["met", "missed"]);
    expect(judged(390)).toEqual(["missed", "missed"]);
    expect(verdictOf([], "raw calls")).toBe("not measured");
  });

  it("are judged by what is written and not synced", () => {
    const synced = resultOf("put-c100", { pq: [[300, 300]], queue: [[100, 100]] });
    expect(verdictOf([{ ...synced, durability: "D2" }], "1.5 x")).toBe("not measured");
    expect(verdictOf([synced], "1.5 x")).toBe("met");
  });

  it("want puts that cost the same at each depth", () => {
    const deep = DEPTHS.map((depth) => resultOf(`backlog-put-${depth}`, { pq: [[500, 500]] }));
    expect(verdictOf(deep, "flat")).toBe("met");
  });
});

describe("the report on Tarantool", () => {
  it("has the rows of each durability apart, and calls no raw calls a rival", () => {
    const drain = resultOf("drain-c100", { pq: [[50, 50]], queue: [[100, 100]], "raw-marked": [[900, 900]] });
    const text = report(
      tarantoolSuite,
      { quick: false, rows: [drain, { ...drain, durability: "D2" }] },
      { brief: false },
    );
    expect(text).toContain("## D1, ");
    expect(text).toContain("## D2, ");
    expect(text).toContain("our lead is 0.50");
    expect(text).not.toContain("- raw-marked: drain");
  });
});

describe("a workload in groups", () => {
  const spec = {
    shape: { workload: "drain", groups: 3 },
    jobs: 6,
    module: "",
    run: "abcdefgh",
    url: "",
    tuned: true,
  } as const;

  it("puts one group after the other", () => {
    const jobs = new Jobs(spec, 6);
    expect(jobs.tasks(0, 6).map(({ group }) => group)).toEqual([0, 0, 1, 1, 2, 2].map((number) => `group-${number}`));
    expect(targetOf(spec).grouped).toBe(true);
  });

  it("is said to be none otherwise", () => {
    const plain = { ...spec, shape: { workload: "drain" } } as const;
    expect(new Jobs(plain, 6).task(0).group).toBeUndefined();
    expect(targetOf(plain).grouped).toBe(false);
  });
});

function resultOf(id: string, runs: Partial<Record<TarantoolSide, Runs>>): RowResult {
  return { ...rowResult(rows, id, runs), durability: "D1" };
}
