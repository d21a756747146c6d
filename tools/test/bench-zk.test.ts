import { describe, expect, it } from "vitest";
import { report } from "../bench/queues/report.ts";
import type { RowResult } from "../bench/queues/results.ts";
import { verdicts } from "../bench/zk/goals.ts";
import { DEPTHS, rows, type ZkSide } from "../bench/zk/rows.ts";
import { liveBytes, monitorOf } from "../bench/zk/server.ts";
import { zkSuite } from "../bench/zk/suite.ts";
import { rowResult, type Runs } from "./bench-results.ts";

describe("what a ZooKeeper server tells", () => {
  it("of itself is numbers by name, and words that do not count", () => {
    const monitor = monitorOf("zk_version\t3.8.0, built\nzk_packets_received\t17\nzk_avg_latency\t0.25\n\n");
    expect([...monitor]).toEqual([
      ["zk_packets_received", 17],
      ["zk_avg_latency", 0.25],
    ]);
  });

  it("of its heap is in the last line of the histogram", () => {
    const histogram =
      "4242:\n num     #instances         #bytes\n   1:          9000       12345678  [B\nTotal        197267       12018288\n";
    expect(liveBytes(histogram)).toBe(12_018_288);
    expect(liveBytes("4242:\nno such command")).toBeNaN();
  });
});

describe("the goals on ZooKeeper", () => {
  const verdictOf = (results: readonly RowResult[], row: string): string | undefined =>
    verdicts(results).find((one) => one.row === row)?.verdict;

  it("want 50 times as many full cycles as kazoo does", () => {
    const cycle = (ours: number): RowResult[] => [resultOf("cycle-c100", { pq: [[ours, ours]], kazoo: [[100, 100]] })];
    expect(verdictOf(cycle(5000), "cycle-c100")).toBe("met");
    expect(verdictOf(cycle(4900), "cycle-c100")).toBe("missed");
    expect(verdictOf([], "cycle-c100")).toBe("not measured");
  });

  it("want puts and drains that cost the same at each depth", () => {
    const deep = (figure: string, rate: (depth: number) => number): RowResult[] =>
      DEPTHS.map((depth) => rowResult(rows, `depth-${depth}`, { pq: [[rate(depth), rate(depth)]] }, figure));
    expect(
      verdictOf(
        deep("putRate", () => 500),
        "depth, putRate",
      ),
    ).toBe("met");
    expect(
      verdictOf(
        deep("drainRate", (depth) => 500 / depth ** 0.1),
        "depth, drainRate",
      ),
    ).toBe("missed");
    expect(
      verdictOf(
        deep("putRate", () => 500),
        "depth, drainRate",
      ),
    ).toBe("not measured");
  });
});

describe("the report on ZooKeeper", () => {
  it("says where kazoo is ahead", () => {
    const behind = resultOf("putmany-1000", { pq: [[50, 50]], kazoo: [[100, 100]] });
    expect(report(zkSuite, { quick: false, rows: [behind] }, { brief: false })).toContain("our lead is 0.50");
  });

  it("asks kazoo for no more than it can list", () => {
    const deepest = rows.filter(({ shape, sides }) => shape.workload === "depth" && sides.includes("kazoo")).at(-1);
    expect(deepest?.id).toBe("depth-60000");
  });
});

function resultOf(id: string, runs: Partial<Record<ZkSide, Runs>>): RowResult {
  return rowResult(rows, id, runs);
}
