/**
 * One row: every side in a process of its own, in turns. With sides A B C a round is A B C C B A: each side runs twice, so that a machine that gets
 * slower or quicker in between does the same to all, and the two runs of a side are a control of each other.
 */
import { randomBytes } from "node:crypto";
import { thisCommit, thisMachine } from "./machine.ts";
import { type ClientOptions, Remote } from "./remote.ts";
import type { Outcome, RowResult, SideResult } from "./results.ts";
import type { Row } from "./row.ts";
import type { Server } from "./server.ts";
import type { Feature } from "./side.ts";
import type { Description, DurabilityClass, SideName } from "./spec.ts";

/** How to measure. */
export interface MeasureOptions extends ClientOptions {
  readonly runs: number;
  /** Short windows, for work on the benchmark itself. */
  readonly quick: boolean;
  /** Only these sides. */
  readonly sides: readonly SideName[] | undefined;
  /** The address of each side's module. */
  readonly modules: Readonly<Record<SideName, string>>;
}

/** A side that takes part. */
interface Entrant {
  readonly remote: Remote;
  readonly description: Description;
  readonly rounds: [Outcome, Outcome][];
  absent: string | undefined;
  jobs: number;
}

/** Measure a row on this server. */
export async function measureRow(
  row: Row,
  durability: DurabilityClass,
  server: Server,
  options: MeasureOptions,
): Promise<RowResult> {
  const machine = thisMachine();
  const names =
    options.sides === undefined
      ? row.sides
      : options.sides.filter((name) => row.sides.includes(name) || name === "memory");
  const entrants = await Promise.all(names.map((name) => enter(name, row, options)));
  try {
    const present = (): Entrant[] => entrants.filter(({ absent }) => absent === undefined);
    for (const entrant of present()) await guarded(entrant, () => warmUp(entrant, row, server, options));
    const rounds = row.long === true ? 1 : options.runs;
    for (let round = 0; round < rounds; round++) await oneRound(present(), row, server, options);
  } finally {
    await Promise.all(entrants.map(({ remote }) => remote.close()));
  }
  const at = new Date().toISOString();
  const sides = entrants.map(resultOf);
  return { row, durability, server: server.title, at, commit: thisCommit(), machine, sides };
}

async function enter(name: SideName, row: Row, options: MeasureOptions): Promise<Entrant> {
  const remote = new Remote(name, options.modules[name]!, options);
  try {
    const description = await remote.describe();
    const absent = needs(row)
      .map((feature) => description.missing[feature])
      .find((reason) => reason !== undefined);
    return { remote, description, rounds: [], absent, jobs: 0 };
  } catch (error) {
    const description = { title: name, setup: "", missing: {}, node: process.versions.node };
    return { remote, description, rounds: [], absent: firstLine(error), jobs: 0 };
  }
}

function needs({ shape }: Row): Feature[] {
  const needed: Feature[] = ["worker"];
  if (shape.priorities !== undefined) needed.push("priority");
  if (shape.workload === "delayed") needed.push("delay");
  if (shape.failEvery !== undefined) needed.push("retry");
  return needed;
}

/** Jobs of a run, where the row does not say otherwise. */
const LEAST = 500;
const LEAST_QUICK = 200;

/** Unmeasured runs: some for the compiler, and to learn how many jobs fill a window. */
async function warmUp(entrant: Entrant, row: Row, server: Server, options: MeasureOptions): Promise<void> {
  if (row.jobs !== "auto") {
    entrant.jobs = fixedJobs(row.jobs, options);
    if (row.long !== true) await oneRun(entrant, row, server, options);
    return;
  }
  const { least = LEAST } = row;
  entrant.jobs = least;
  for (const seconds of options.quick ? [0.3] : [1, 2]) {
    const { figures } = await oneRun(entrant, row, server, options);
    entrant.jobs = Math.max(least, Math.ceil(figures["rate"]! * seconds));
  }
  const { figures } = await oneRun(entrant, row, server, options);
  entrant.jobs = windowJobs(figures["rate"]!, least, options);
}

/** 3 s; where that is more than 50,000 jobs, one second or 50,000 jobs, whichever is more. */
function windowJobs(rate: number, least: number, { quick }: MeasureOptions): number {
  if (quick) return Math.max(Math.min(least, LEAST_QUICK), Math.ceil(rate * 0.5));
  return Math.max(least, Math.ceil(Math.min(rate * 3, Math.max(50_000, rate))));
}

function fixedJobs(jobs: number, { quick }: MeasureOptions): number {
  return quick ? Math.ceil(jobs / 10) : jobs;
}

async function oneRound(
  entrants: readonly Entrant[],
  row: Row,
  server: Server,
  options: MeasureOptions,
): Promise<void> {
  const firsts = new Map<Entrant, Outcome>();
  for (const entrant of entrants) {
    await guarded(entrant, async () => void firsts.set(entrant, await oneRun(entrant, row, server, options)));
  }
  for (const entrant of entrants.toReversed()) {
    const first = firsts.get(entrant);
    if (first === undefined) continue;
    await guarded(entrant, async () => void entrant.rounds.push([first, await oneRun(entrant, row, server, options)]));
  }
}

/** A side that fails is out of the row; the others go on. */
async function guarded(entrant: Entrant, work: () => Promise<void>): Promise<void> {
  if (entrant.absent !== undefined) return;
  try {
    await work();
  } catch (error) {
    entrant.absent = firstLine(error);
    console.error(`${entrant.description.title}: ${String(error)}`);
    await entrant.remote.close();
  }
}

async function oneRun({ remote, jobs }: Entrant, row: Row, server: Server, options: MeasureOptions): Promise<Outcome> {
  await server.empty();
  const run = randomBytes(4).toString("hex");
  const shape = options.quick ? quickShape(row) : row.shape;
  await remote.prepare({ shape, jobs, module: options.modules[remote.name]!, run, url: server.url, tuned: row.tuned });
  await server.begin();
  const { ms, figures } = await remote.go();
  const cost = await server.end();
  const perJob: Record<string, number> = {};
  const count = figures["jobs"] ?? jobs;
  if (figures["minutes"] !== undefined) {
    perJob["serverCommandsPerMinute"] = cost.figures["serverCommands"]! / figures["minutes"];
  }
  const weight = row.weighed === true ? await server.weigh?.() : {};
  if (row.later !== undefined) {
    perJob["bytesPerJob"] = cost.figures["serverBytes"]! / count;
    await new Promise((resolve) => setTimeout(resolve, (options.quick ? 1 : row.later!) * 1000));
    perJob["bytesPerJobLater"] = (await server.grown()) / count;
  }
  const problems = await remote.finish();
  return {
    figures: { jobs: count, ms, ...figures, ...cost.figures, ...perJob, ...weight },
    commands: cost.commands,
    problems,
  };
}

function quickShape({ shape }: Row): Row["shape"] {
  const seconds = shape.seconds === undefined ? {} : { seconds: Math.max(1, shape.seconds / 10) };
  const backlog = shape.backlog === undefined ? {} : { backlog: Math.ceil(shape.backlog / 10) };
  return { ...shape, ...seconds, ...backlog };
}

function resultOf({ remote, description, rounds, absent }: Entrant): SideResult {
  return { ...description, side: remote.name, rounds, ...(absent === undefined ? {} : { absent }) };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
