import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CheckFailure, passed, type Check } from "./check.ts";
import { publicPackages, root } from "./workspace.ts";

type Capabilities = Readonly<Record<string, unknown>>;
type Promises = Readonly<Record<string, string>>;

/** What the table needs of a rule. */
interface RuleName {
  readonly id: string;
  readonly promise: string;
}

/** The lines between which a table stands. */
function markers(name: string): readonly [start: string, end: string] {
  return [`<!-- ${name}: written by \`npm test -- --fix matrix\` -->`, `<!-- end of ${name} -->`];
}

/** How the README says a capability, in the order of its rows. */
const ROWS: Readonly<Record<string, readonly [label: string, say: (value: never) => string]>> = {
  maxPayload: ["Largest payload", bytes],
  maxBatch: ["Most jobs in one atomic put", count],
  maxBatchBytes: ["Most bytes in one atomic put", bytes],
  maxName: ["Longest name, key or group", bytes],
  timePrecision: ["Step of the clock", milliseconds],
  lateness: ["Due jobs are late by at most", milliseconds],
  repeatWindow: [
    "Repeated calls are recognised for",
    (window: { ms: number; calls: number }) => `${milliseconds(window.ms)}, ${count(window.calls)} calls`,
  ],
  keys: ["Keys (deduplication)", yesNo],
  groups: ["Groups (strict lanes)", yesNo],
  results: ["Kept results", yesNo],
  capacity: ["Bounded queues", yesNo],
  shared: ["Several processes on one store", yesNo],
  leasesOutliveConnections: ["Leases outlive their connection", yesNo],
  chainedPuts: ["Two puts of a queue in flight at once", yesNo],
  transactions: ["Puts in a transaction of yours", yesNo],
};

/** The tables in the root README say what the packages export: the promises with their rules, and the capabilities. */
export const matrix: Check = {
  name: "matrix",
  needs: ["build"],
  run: async ({ fix }) => {
    const file = join(root, "README.md");
    const readme = await readFile(file, "utf8").catch(() => "");
    const { promises, rules } = await exportedSuite();
    const withPromises = replaceTable(readme, "promises", promiseTable(promises, rules));
    const updated = replaceTable(withPromises, "capabilities", capabilityTable(await exportedCapabilities()));
    if (updated === readme) return passed();
    if (!fix) throw new CheckFailure("A table in README.md is out of date. Run: npm test -- --fix matrix");
    await writeFile(file, updated);
    return passed("", "written");
  },
};

/** The `capabilities` constant of every package that has one. */
async function exportedCapabilities(): Promise<Map<string, Capabilities>> {
  const found = new Map<string, Capabilities>();
  for (const { name, folder } of publicPackages()) {
    const url = pathToFileURL(join(folder, "dist/index.js")).href;
    const { capabilities } = (await import(url)) as { capabilities?: Capabilities };
    if (capabilities !== undefined) found.set(name, capabilities);
  }
  return found;
}

/** The promises and the rules of the conformance suite. */
async function exportedSuite(): Promise<{ promises: Promises; rules: readonly RuleName[] }> {
  const url = pathToFileURL(join(root, "packages/core/dist/testing/index.js")).href;
  return (await import(url)) as { promises: Promises; rules: readonly RuleName[] };
}

/** A row for each promise: how many rules prove it, and in which files they are. */
export function promiseTable(promises: Promises, rules: readonly RuleName[]): string {
  const rows = Object.entries(promises).map(([name, text]) => {
    const own = rules.filter(({ promise }) => promise === name);
    const files = [...new Set(own.map(({ id }) => id.slice(0, id.indexOf("."))))];
    return [name, text, String(own.length), files.join(", ")];
  });
  return markdownTable([["", "promise", "rules", "in"], ...rows]);
}

/** A Markdown table with a column for each package. */
export function capabilityTable(packages: ReadonlyMap<string, Capabilities>): string {
  const unnamed = [...packages.values()].flatMap((each) => Object.keys(each)).filter((key) => !(key in ROWS));
  if (unnamed.length > 0) throw new CheckFailure(`Say what these are in readme-matrix.ts: ${unnamed.join(", ")}`);
  const rows = Object.entries(ROWS).map(([key, [label, say]]) => [
    label,
    ...[...packages.values()].map((each) => say(each[key] as never)),
  ]);
  return markdownTable([["", ...[...packages.keys()].map((name) => `\`${name}\``)], ...rows]);
}

/** A table of these rows, the first of them its header, padded as the formatter does it. */
function markdownTable([header = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) => Math.max(3, ...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** The README with the table between its markers. */
export function replaceTable(readme: string, name: string, table: string): string {
  const [first, last] = markers(name);
  const start = readme.indexOf(first);
  const end = readme.indexOf(last);
  if (start < 0 || end < start) throw new CheckFailure(`README.md needs these two lines:\n${first}\n${last}`);
  return `${readme.slice(0, start + first.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

function bytes(value: number): string {
  if (value >= 1024 * 1024) return `${count(value / (1024 * 1024))} MiB`;
  return value >= 1024 ? `${count(value / 1024)} KiB` : `${count(value)} bytes`;
}

function milliseconds(value: number): string {
  return value >= 1000 ? `${count(value / 1000)} s` : `${count(value)} ms`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
