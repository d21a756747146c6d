/** What must be true of the run: deadlines, recovery, processes, and what the store says of itself. */
import type { Event, Fault, Totals } from "../event.ts";
import type { History } from "./history.ts";
import type { Rest } from "./jobs.ts";
import type { Violation } from "./violation.ts";

/** How much later than its deadline a call may settle, in ms. */
const GRACE = 1000;

/** What is promised of the run. */
export interface Bounds {
  /** After a fault has healed, a job is delivered within so many ms. */
  readonly recovery: number;
  /** Are the store's counters exact after a crash? */
  readonly exactCounters: boolean;
}

/** Calls that settled too late, or never. */
export function deadlines({ calls, processes, conductor }: History): Violation[] {
  const alive = new Set(processes.filter(({ bye }) => bye).map(({ process }) => process));
  const stops = conductor.filter((event): event is Fault => event.type === "fault" && event.process !== undefined);
  const blocked = blocksOf(processes);
  const found: Violation[] = [];
  for (const { process, begin, end } of calls) {
    if (begin.deadline === null) continue;
    const what = `${begin.type === "query" ? begin.name : begin.type} number ${begin.call} of ${process}, begun at ${begin.at},`;
    if (end === undefined) {
      if (alive.has(process)) found.push({ rule: "deadline", text: `${what} never settled` });
      continue;
    }
    const took = end.at - begin.at;
    if (took <= begin.deadline + GRACE) continue;
    // Nobody settles anything while it is stopped.
    const stopped = stops
      .filter((stop) => stop.process === process)
      .reduce((sum, stop) => sum + overlap(stop, begin.at, end.at), 0);
    const busy = (blocked.get(process) ?? []).reduce((sum, block) => sum + overlap(block, begin.at, end.at), 0);
    if (took - stopped - busy <= begin.deadline + GRACE) continue;
    found.push({
      rule: "deadline",
      text: `${what} settled after ${Math.round(took)} ms; its deadline was ${begin.deadline} ms`,
    });
  }
  return found;
}

interface Span {
  readonly at: number;
  readonly until: number;
}

function overlap({ at, until }: Span, from: number, to: number): number {
  return Math.max(0, Math.min(until, to) - Math.max(at, from));
}

/** Consumers that stop their own event loop say so. */
function blocksOf(processes: History["processes"]): ReadonlyMap<string, readonly Span[]> {
  const spans = processes.map(({ process, events }): [string, Span[]] => [
    process,
    events.flatMap((event) => (event.type === "blocked" ? [event] : [])),
  ]);
  return new Map(spans);
}

/** How long it took from the end of each fault to the next delivery anywhere, in ms; `Infinity`: none came. */
export function recoveries(history: History): readonly { readonly fault: Fault; readonly ms: number }[] {
  const times = Float64Array.from(
    [...history.jobs.values()].flatMap(({ deliveries }) => deliveries.filter(({ held }) => held).map(({ at }) => at)),
  ).sort();
  const faults = history.conductor.filter((event): event is Fault => event.type === "fault");
  return faults.map((fault) => ({ fault, ms: (firstFrom(times, fault.until) ?? Infinity) - fault.until }));
}

function firstFrom(times: Float64Array, moment: number): number | undefined {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < moment) low = middle + 1;
    else high = middle;
  }
  return times[low];
}

/** Faults after which nothing came in time, workers that never came back, and jobs that were not worked off. */
export function liveness(history: History, rest: Rest, { recovery }: Bounds): Violation[] {
  const found: Violation[] = [];
  const add = (text: string): void => void found.push({ rule: "liveness", text });
  for (const { fault, ms } of recoveries(history)) {
    if (ms > recovery) add(`${ms} ms without a delivery after "${fault.name}", which ended at ${fault.until}`);
  }
  const heal = phase(history, "heal");
  for (const { process, events, bye } of history.processes) {
    if (!bye || !events.some(({ type }) => type === "health")) continue;
    const took = events.some((event) => event.type === "deliver" && event.at > heal);
    if (!took) add(`${process} took no job after ${heal}, when all was healed`);
  }
  const undone = [...rest.values()].filter(({ state }) => state !== "buried" && state !== "done");
  if (undone.length > 0) add(`${undone.length} jobs were not worked off, first ${undone[0]!.id} (${undone[0]!.state})`);
  return found;
}

/** The last word of each worker on its health must be that it works. */
export function health(history: History): Violation[] {
  const found: Violation[] = [];
  for (const { process, events, bye } of history.processes) {
    const last = events.findLast((event) => event.type === "health");
    if (!bye || last?.type !== "health" || last.ok) continue;
    found.push({ rule: "health", text: `${process} ended with: ${last.reason}` });
  }
  return found;
}

/** Processes that died without being killed. */
export function processes({ conductor }: History): Violation[] {
  return conductor.flatMap((event): Violation[] =>
    event.type === "gone" && !event.killed && event.how !== "0"
      ? [{ rule: "process", text: `${event.process} ended with ${event.how} at ${event.at}` }]
      : [],
  );
}

/** Counts against what is there, and counters against what was done. */
export function totals(history: History, rest: Rest, { exactCounters }: Bounds): Violation[] {
  const said = history.conductor.findLast((event): event is Totals => event.type === "totals");
  if (said === undefined) return [{ rule: "totals", text: "the store did not say" }];
  const found: Violation[] = [];
  const expect = (name: string, value: number, least: number, most: number = least): void => {
    if (value >= least && value <= most) return;
    found.push({
      rule: "totals",
      text: `${name} is ${value}, and should be ${least === most ? least : `${least} to ${most}`}`,
    });
  };
  for (const [state, count] of Object.entries(said.states)) {
    expect(`stats.${state}`, count, [...rest.values()].filter((job) => job.state === state).length);
  }
  if (!exactCounters) return found;
  const { put = 0, ack = 0, expired = 0, delete: removed = 0 } = said.counters;
  const outcomes = [...history.jobs.values()].map((job) => job.put?.outcome);
  const added = outcomes.filter((outcome) => outcome === "added").length;
  const unknown = outcomes.filter((outcome) => outcome === "unknown").length;
  expect("the counter of puts", put, added, added + unknown);
  expect("the number of jobs, by the counters", put - ack - expired - removed, rest.size);
  return found;
}

/** When a phase began. */
export function phase({ conductor }: History, name: string): number {
  return conductor.find((event: Event) => event.type === "phase" && event.name === name)?.at ?? Infinity;
}
