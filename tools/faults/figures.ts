/** The figures of a run. */
import { phase, recoveries } from "./check/run.ts";
import type { History } from "./check/history.ts";
import { rules, type Violation } from "./check/violation.ts";
import type { RunResult } from "./run.ts";

/** What a run came to. */
export interface Figures {
  readonly accepted: number;
  readonly unknown: number;
  readonly notApplied: number;
  readonly duplicates: number;
  readonly calls: number;
  readonly callsByOutcome: Readonly<Record<string, number>>;
  readonly deliveries: number;
  readonly redelivered: number;
  readonly acked: number;
  readonly staleSettlements: number;
  readonly buried: number;
  readonly processes: number;
  /** The longest that a call took beyond its beginning, in ms, in a process that was not stopped. */
  readonly slowestCall: number;
  /** From the end of a fault to the next delivery, in ms. */
  readonly recovery: Readonly<
    Record<string, { readonly count: number; readonly median: number; readonly slowest: number }>
  >;
  readonly drainSeconds: number;
  readonly violations: Readonly<Record<string, number>>;
}

/** Count. */
export function figuresOf({ history }: RunResult, violations: readonly Violation[]): Figures {
  const jobs = [...history.jobs.values()];
  const outcome = (name: string): number => jobs.filter(({ put }) => put?.outcome === name).length;
  const settled = jobs.flatMap(({ settlements }) => settlements);
  return {
    accepted: outcome("added"),
    unknown: outcome("unknown"),
    notApplied: outcome("refused"),
    duplicates: outcome("duplicate"),
    calls: history.calls.length,
    callsByOutcome: countBy(history.calls.map(({ end }) => end?.outcome ?? "none (killed)")),
    deliveries: jobs.reduce((sum, { deliveries }) => sum + deliveries.length, 0),
    redelivered: jobs.filter(({ deliveries }) => deliveries.length > 1).length,
    acked: settled.filter(({ begin, outcome }) => begin.how === "ack" && outcome === "ok").length,
    staleSettlements: settled.filter(({ outcome }) => outcome === "lost").length,
    buried: history.conductor.filter((event) => event.type === "present" && event.state === "buried").length,
    processes: history.processes.length,
    slowestCall: slowestCall(history),
    recovery: recoveryByFault(history),
    drainSeconds: (phase(history, "end") - phase(history, "drain")) / 1000,
    violations: Object.fromEntries(
      Object.keys(rules).map((rule) => [rule, violations.filter((each) => each.rule === rule).length]),
    ),
  };
}

function slowestCall({ calls, conductor }: History): number {
  const stopped = new Set(
    conductor.flatMap((event) => (event.type === "fault" && event.process !== undefined ? [event.process] : [])),
  );
  const own = calls.filter(({ begin, process }) => begin.type === "put" && !stopped.has(process));
  return own.reduce((most, { begin, end }) => Math.max(most, (end?.at ?? 0) - begin.at), 0);
}

function recoveryByFault(history: History): Figures["recovery"] {
  const times = new Map<string, number[]>();
  for (const { fault, ms } of recoveries(history)) times.set(fault.name, [...(times.get(fault.name) ?? []), ms]);
  const entries = [...times]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, list]) => {
      list.sort((a, b) => a - b);
      return [name, { count: list.length, median: list[list.length >> 1]!, slowest: list.at(-1)! }] as const;
    });
  return Object.fromEntries(entries);
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
