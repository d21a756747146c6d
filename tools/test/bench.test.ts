import { describe, expect, it } from "vitest";
import { Audit } from "../bench/queues/audit.ts";
import { control, isSound, leads } from "../bench/queues/figures.ts";
import { verdicts } from "../bench/redis/goals.ts";
import { PayloadMaker } from "../bench/queues/payload.ts";
import { report } from "../bench/queues/report.ts";
import type { RowResult } from "../bench/queues/results.ts";
import { type RedisSide, rows } from "../bench/redis/rows.ts";
import { redisSuite } from "../bench/redis/suite.ts";
import { parseUsage, usageOf } from "../bench/queues/usage.ts";
import { Countdown, Gate } from "../bench/queues/workload.ts";
import { median, percentile } from "../bench/stats.ts";
import { rowResult as resultOf, type Runs } from "./bench-results.ts";

describe("statistics", () => {
  it("takes the middle, or the mean of the two in the middle", () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7]);
    expect(median([])).toBeNaN();
  });

  it("takes the value that the share does not exceed", () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100]);
  });
});

describe("payloads", () => {
  it("have the size asked for, whatever their number", () => {
    const maker = new PayloadMaker("abcdefgh", 100);
    for (const index of [0, 1, 99, 123_456, 8_999_999]) expect(JSON.stringify(maker.make(index))).toHaveLength(100);
  });

  it("are known by their number only when they are whole and of this run", () => {
    const maker = new PayloadMaker("abcdefgh", 100);
    const payload = maker.make(7);
    expect(maker.indexOf(payload)).toBe(7);
    const wrong = [{ run: "other123" }, { seq: payload.seq + 1 }, { sum: payload.sum + 1 }, { pad: "" }];
    for (const change of wrong) expect(maker.indexOf({ ...payload, ...change })).toBe(-1);
  });
});

describe("the audit", () => {
  const maker = new PayloadMaker("abcdefgh", 100);

  it("is content when each came once", () => {
    const audit = new Audit(maker, 3);
    for (const index of [2, 0, 1]) audit.done(maker.make(index));
    expect(audit.problems()).toEqual([]);
  });

  it("tells of the lost, the doubled and the foreign", () => {
    const audit = new Audit(maker, 3);
    for (const index of [0, 0, 5]) audit.done(maker.make(index));
    expect(audit.problems()).toEqual([
      "2 of 3 jobs never came",
      "1 jobs came twice",
      "1 payloads were damaged or of another run",
    ]);
    expect(audit.problems(0)).not.toContain("2 of 3 jobs never came");
  });

  it("knows how many have not come", () => {
    const audit = new Audit(maker, 3);
    for (const index of [0, 0, 2]) audit.done(maker.make(index));
    expect(audit.open).toBe(1);
  });

  it("adds up what several processes have seen", () => {
    const [mine, theirs] = [new Audit(maker, 3), new Audit(maker, 3)];
    for (const index of [0, 1]) mine.done(maker.make(index));
    for (const index of [1, 7]) theirs.done(maker.make(index));
    mine.add(theirs.counts);
    expect(mine.problems()).toEqual([
      "1 of 3 jobs never came",
      "1 jobs came twice",
      "1 payloads were damaged or of another run",
    ]);
  });
});

describe("the gate of a closed loop", () => {
  it("lets in as many as came out, in the order in which they came", async () => {
    const gate = new Gate();
    const order: string[] = [];
    gate.give();
    await gate.take();
    const waiting = ["first", "second"].map((name) => gate.take().then(() => void order.push(name)));
    expect(order).toEqual([]);
    gate.give();
    await waiting[0];
    expect(order).toEqual(["first"]);
    gate.give();
    await waiting[1];
    expect(order).toEqual(["first", "second"]);
  });
});

describe("a countdown", () => {
  it("of nothing is over", async () => {
    await expect(new Countdown(0).over).resolves.toBeUndefined();
  });
});

describe("what a process uses", () => {
  it("is read from its files, whatever its program is called", () => {
    const stat = `17 (a) b (c) S 1 17 17 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 12 0 100 1000000 5000`;
    const status = "Name:\ta) b (c\nVmPeak:\t  9000 kB\nVmRSS:\t  2048 kB\n";
    expect(parseUsage(stat, status)).toEqual({ cpuUs: 1_750_000, rss: 2 * 1024 * 1024 });
  });

  it("is unknown of one that is not there", () => {
    expect(usageOf(undefined)).toBeUndefined();
    expect(usageOf(2 ** 30)).toBeUndefined();
  });
});

describe("the report", () => {
  it("compares within a round, so that a machine that slows down between rounds changes nothing", () => {
    const result = rowResult("putmany-1000", {
      pq: [
        [800, 800],
        [80, 80],
      ],
      bullmq: [
        [100, 100],
        [10, 10],
      ],
    });
    expect(leads(result, "bullmq", result.row.measures[0]!)).toEqual([8, 8]);
  });

  it("turns the ratio round where less is better", () => {
    const result = rowResult("latency-250", { pq: [[1, 1]], bee: [[2, 2]] }, "p50");
    expect(leads(result, "bee", result.row.measures[0]!)).toEqual([2]);
  });

  it("sets each side's two runs of a round against each other", () => {
    const { sides, row } = rowResult("put-c1", { pq: [[100, 50]] });
    expect(control(sides[0]!, row.measures[0]!)).toEqual([2]);
  });

  it("voids a side with a lost job, also for the goals", () => {
    const result = rowResult("putmany-1000", { pq: [[800, 800]], bullmq: [[100, 100]] });
    const outcome = { ...result.sides[0]!.rounds[0]![0], problems: ["1 of 9 jobs never came"] };
    const spoilt = { ...result.sides[0]!, rounds: [[outcome, outcome]] as const };
    expect(isSound(spoilt)).toBe(false);
    const results = [{ ...result, sides: [spoilt, result.sides[1]!] }];
    expect(verdictOf(results, "putmany-1000", "8 x BullMQ")).toBe("not measured");
    expect(report(redisSuite, { quick: false, rows: results }, { brief: true })).toContain(
      "void: 1 of 9 jobs never came",
    );
  });

  it("says where others are ahead", () => {
    const behind = rowResult("put-c1", { pq: [[50, 50]], bee: [[100, 100]] });
    expect(report(redisSuite, { quick: false, rows: [behind] }, { brief: false })).toContain("our lead is 0.50");
  });
});

describe("the goals", () => {
  it("are judged by the median of their ratios", () => {
    const close = (ours: number): RowResult[] => [
      rowResult("putmany-1000", { pq: [[ours, ours]], bullmq: [[100, 100]] }),
    ];
    expect(verdictOf(close(800), "putmany-1000", "8 x BullMQ")).toBe("met");
    expect(verdictOf(close(799), "putmany-1000", "8 x BullMQ")).toBe("missed");
    expect(verdictOf([], "putmany-1000", "8 x BullMQ")).toBe("not measured");
  });

  it("say whether a job costs the same at every depth", () => {
    const deep = (rate: (backlog: number) => number): string | undefined => {
      const depths = [1_000, 10_000, 100_000, 1_000_000];
      const runs = depths.map((depth) => rowResult(`backlog-put-${depth}`, { pq: [[rate(depth), rate(depth)]] }));
      return verdictOf(runs, "backlog-put", "flat");
    };
    expect(deep(() => 500)).toBe("met");
    expect(deep((depth) => 500 / depth ** 0.1)).toBe("missed");
  });
});

function verdictOf(results: readonly RowResult[], row: string, goal: string): string | undefined {
  return verdicts(results).find((one) => one.row === row && one.goal.includes(goal))?.verdict;
}

function rowResult(id: string, runs: Partial<Record<RedisSide, Runs>>, figure = "rate"): RowResult {
  return resultOf(rows, id, runs, figure);
}
