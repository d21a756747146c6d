/** The report: markdown, made of the results alone. */
import { median, showSpread, spread } from "../stats.ts";
import { control, isSound, leads, perJob, problemsOf, runsOf } from "./figures.ts";
import type { Results, RowResult, SideResult } from "./results.ts";
import type { Measure } from "./row.ts";
import type { DurabilityClass } from "./spec.ts";
import type { Suite } from "./suite.ts";

/** The control may differ from 1 by so much. */
const STEADY = 0.1;

/** `brief`: the tables alone. */
export function report(suite: Suite, results: Results, { brief }: { readonly brief: boolean }): string {
  const rows = inOrder(suite, results.rows);
  const tables = (["D0", "D1", "D2"] as const).flatMap((durability) => tableOf(suite, durability, rows));
  if (brief) return `${[...tables, ...rows.map((row) => commandTable(suite, row))].join("\n")}\n`;
  const parts = [
    head(suite, results, rows),
    goalTable(suite, rows),
    whereOthersWin(rows),
    ...tables,
    notes(suite, rows),
  ];
  return `${parts.join("\n")}\n`;
}

function inOrder(suite: Suite, rows: readonly RowResult[]): RowResult[] {
  const place = ({ row }: RowResult): number => suite.rows.findIndex(({ id }) => id === row.id);
  return rows.toSorted((a, b) => place(a) - place(b));
}

function head(suite: Suite, { quick }: Results, rows: readonly RowResult[]): string {
  const distinct = (values: readonly string[]): string => [...new Set(values)].join("; ");
  const machines = rows.map(
    ({ machine: { cpu, cores, memoryGiB, system, disk } }) => `${cores} x ${cpu}, ${memoryGiB} GiB, ${system}, ${disk}`,
  );
  const sides = rows.flatMap((row) => row.sides).filter(({ setup }) => setup !== "");
  const dates = rows.map(({ at }) => at.slice(0, 10));
  const { name, serverNote } = suite;
  const preface = suite.preface(rows);
  return [
    `# @pq/${name} beside others`,
    "",
    ...(preface.length === 0 ? [] : [...preface, ""]),
    `Generated from \`${name}.json\` by \`pnpm bench ${name}\`; do not edit. ${quick ? "**A quick run: its figures mean little.** " : ""}Absolute figures are those of this machine and of no other.`,
    "",
    `- machine: ${distinct(machines)}; load average when a row began: ${loads(rows)}`,
    `- server: ${distinct(rows.map(({ server }) => server))}, ${serverNote}`,
    `- clients: Node ${distinct(sides.map(({ node }) => node))}, one process for each side`,
    `- measured: ${distinct(dates)}, commit ${distinct(rows.map(({ commit }) => commit))}`,
    ...new Set(sides.map(({ title, setup }) => `- ${title}: ${setup}`)),
    "",
    "The sides of a row run in turns, A B C C B A. **Lead** is the median of the ratio of ours to theirs (the other way round for times and costs, so that",
    "above 1 is ahead) over the rounds, with its range. **Control** is each side's first run of a round against its second; where its median",
    "differs from 1 by more than 10 %, `!` says that the machine was not quiet and the row says little. Clocks stop at the last confirmed ack. Every job is audited: one lost",
    "or doubled makes the side's row void. The payload has 100 bytes where nothing else is said. Commands are counted by the server; CPU is",
    "user and system time of the whole process.",
    "",
  ].join("\n");
}

function loads(rows: readonly RowResult[]): string {
  const all = rows.map(({ machine }) => machine.load);
  return all.length === 0 ? "unknown" : showSpread(spread(all));
}

function goalTable(suite: Suite, rows: readonly RowResult[]): string {
  return table(
    "## Goals",
    ["row", "goal", "found", "verdict"],
    suite
      .verdicts(rows)
      .map(({ goal, row, found, verdict }) => [row, goal, found, verdict === "missed" ? "**missed**" : verdict]),
  );
}

function whereOthersWin(rows: readonly RowResult[]): string {
  const lines = rows.flatMap((result) =>
    result.sides
      .filter(({ side }) => side !== "pq" && !side.startsWith("raw"))
      .flatMap(({ side, title }) =>
        result.row.measures.flatMap((measure) => {
          const ratios = leads(result, side, measure);
          if (ratios.length === 0 || median(ratios) >= 1) return [];
          return [
            `- ${title}: ${result.row.title}, ${measure.title}, ${result.durability}: our lead is ${showSpread(spread(ratios))}`,
          ];
        }),
      ),
  );
  return [
    "## Where others are ahead of us",
    "",
    ...(lines.length === 0 ? ["Nowhere in what was measured."] : lines),
    "",
  ].join("\n");
}

function tableOf({ classes }: Suite, durability: DurabilityClass, rows: readonly RowResult[]): string[] {
  const mine = rows.filter((row) => row.durability === durability);
  if (mine.length === 0) return [];
  const columns = [
    "row",
    "side",
    "jobs a run",
    "measured",
    "our lead",
    "control",
    "server commands/job",
    "server µs/job",
    "client µs/job",
    "loop p99 ms",
  ];
  const cells = mine.flatMap((result) =>
    result.row.measures.flatMap((measure) => result.sides.map((side) => sideCells(result, side, measure))),
  );
  return [table(`## ${durability}, ${classes[durability] ?? "not measured any more"}`, columns, cells)];
}

function sideCells(result: RowResult, side: SideResult, measure: Measure): string[] {
  const name = `${result.row.title} (\`${result.row.id}\`)`;
  if (!isSound(side)) {
    const why =
      problemsOf(side).length > 0 ? `void: ${problemsOf(side).join("; ")}` : `absent: ${side.absent ?? "no run"}`;
    return [name, side.title, "", why, "", "", "", "", "", ""];
  }
  const ratios = side.side === "pq" ? [] : leads(result, side.side, measure);
  const controls = spread(control(side, measure));
  return [
    name,
    side.title,
    number(median(runsOf(side, "jobs")), 0),
    `${shown(runsOf(side, measure.figure), measure.digits)} ${measure.title}${stopped(side)}`,
    ratios.length === 0 ? "" : showSpread(spread(ratios)),
    `${Math.abs(controls.median - 1) > STEADY ? "! " : ""}${showSpread(controls)}`,
    number(perJob(side, "serverCommands"), 2),
    number(perJob(side, "serverCpuUs"), 2),
    number(perJob(side, "clientCpuUs"), 2),
    number(median(runsOf(side, "loopP99")), 1),
  ];
}

function stopped(side: SideResult): string {
  const [limit] = runsOf(side, "stopped");
  return limit === undefined ? "" : `, stopped after ${limit} s`;
}

/** Where the server's time goes on our side, by the last run: for those who work on it. */
function commandTable({ name }: Suite, { row, sides }: RowResult): string {
  const run = sides.find(({ side }) => side === "pq")?.rounds.at(-1)?.[1];
  const jobs = run?.figures["jobs"] ?? 0;
  if (run === undefined || jobs === 0) return "";
  const costs = Object.entries(run.commands).toSorted(([, a], [, b]) => (b.us ?? b.calls) - (a.us ?? a.calls));
  const cells = costs.map(([command, { calls, us }]) => [
    command,
    number(calls / jobs, 4),
    number((us ?? Number.NaN) / jobs, 3),
  ]);
  return table(`${row.id}, @pq/${name}: commands`, ["command", "calls/job", "µs/job"], cells);
}

function shown(values: readonly number[], digits: number): string {
  const { median, least, most } = spread(values);
  const text = (value: number): string => number(value, digits);
  return `${text(median)} (${text(least)} .. ${text(most)})`;
}

function number(value: number, digits: number): string {
  if (!Number.isFinite(value)) return "";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function notes(suite: Suite, rows: readonly RowResult[]): string {
  const absent = rows.flatMap(({ sides }) =>
    sides.flatMap(({ title, absent }) => (absent === undefined ? [] : [`- ${title}: ${absent}`])),
  );
  return [
    "## To be read with it",
    "",
    "- Latencies count from the call of `put` to the handler, in an open loop, in one process where the row does not say otherwise.",
    ...suite.notes.map((note) => `- ${note}`),
    ...new Set(absent),
  ].join("\n");
}

function table(title: string, columns: readonly string[], cells: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  return [title, "", line(columns), line(columns.map(() => "---")), ...cells.map(line), ""].join("\n");
}
