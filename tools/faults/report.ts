/** The report of a run, in Markdown. */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import type { RunOptions } from "./args.ts";
import { rules, type Violation } from "./check/violation.ts";
import type { Figures } from "./figures.ts";
import type { RunResult } from "./run.ts";

/** How many violations are shown. */
const SHOWN = 30;

/** The command that makes this run again. */
export function commandOf({ store, cuts, restarts, seconds, seed, flavour, weak, bug }: RunOptions): string {
  const words = [`--cuts ${cuts}`, `--restarts ${restarts}`, `--seed ${seed}`];
  if (seconds > 0) words.push(`--seconds ${seconds}`);
  if (flavour !== undefined) words.push(`--flavour ${flavour}`);
  if (weak) words.push("--weak");
  if (bug !== undefined) words.push(`--bug "${bug}"`);
  return `node tools/run.mjs faults ${store} ${words.join(" ")}`;
}

/** A row of a table. */
type Row = readonly [string, ...(string | number)[]];

/** The report. */
export function reportOf(
  options: RunOptions,
  result: RunResult,
  { figures, violations }: { readonly figures: Figures; readonly violations: readonly Violation[] },
): string {
  const recovery = Object.entries(figures.recovery).map(([name, all]): Row => [
    name,
    all.count,
    all.median,
    all.slowest,
  ]);
  const found = Object.entries(rules).map(([name, text]): Row => [`${name}: ${text}`, figures.violations[name] ?? 0]);
  const more = violations.length > SHOWN ? [`- and ${violations.length - SHOWN} more`] : [];
  return [
    "# Under faults",
    "",
    "Written by the command below, and not by hand. Producers and workers are processes of their own; each reaches the server below through a",
    "proxy of its own, which loses and cuts; the server and the workers are killed and stopped. What each process saw is checked afterwards.",
    "What each rule says in full is in `tools/faults/check`; what proves that each can fail, in `tools/test/faults-checks.test.ts`.",
    "",
    "```sh",
    commandOf(options),
    "```",
    "",
    ...table(["", ""], setupRows(options, result, figures)),
    "## What happened",
    "",
    ...table(["", ""], historyRows(figures)),
    "## Faults, and how long until the next delivery after each, in ms",
    "",
    "Faults overlap, so a time may contain the faults that followed.",
    "",
    ...table(["fault", "count", "median", "slowest"], recovery),
    "## Rules",
    "",
    ...table(["rule", "violations"], found),
    ...[...violations.slice(0, SHOWN).map(({ rule, text }) => `- **${rule}** ${text}`), ...more, ""].slice(
      violations.length > 0 ? 0 : 1,
    ),
  ].join("\n");
}

function setupRows(options: RunOptions, result: RunResult, figures: Figures): Row[] {
  return [
    ["commit", commit()],
    ["server", `${result.version}; ${result.setup}`],
    ["client", `Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`],
    ["seed", String(options.seed)],
    ["minutes", (result.seconds / 60).toFixed(1)],
    ["faults that cut connections", result.cuts],
    ["connections cut by them, at least", result.linksCut],
    ["connections made by clients", result.connections],
    ["SIGKILLs and restarts of the server", result.restarts],
    ["client processes", figures.processes],
  ];
}

function historyRows(figures: Figures): Row[] {
  return [
    ["jobs accepted", figures.accepted],
    ["jobs told to be duplicates of a key", figures.duplicates],
    ["jobs whose put was told as of unknown outcome", figures.unknown],
    ["jobs whose put was told as not applied", figures.notApplied],
    ["deliveries seen", figures.deliveries],
    ["jobs delivered more than once", figures.redelivered],
    ["acks confirmed", figures.acked],
    ["settlements refused, the lease being lost", figures.staleSettlements],
    ["jobs buried at the end", figures.buried],
    ["calls watched", figures.calls],
    ["slowest put, in ms (deadlines are 5,000 and 700)", figures.slowestCall],
    ["seconds to work off the rest", figures.drainSeconds.toFixed(1)],
  ];
}

function table(head: readonly string[], rows: readonly Row[]): string[] {
  const lines = [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))];
  return [...lines.map((line) => `| ${line.join(" | ")} |`), ""];
}

function cell(value: string | number): string {
  return typeof value === "number" ? Math.round(value).toLocaleString("en-US") : value;
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
