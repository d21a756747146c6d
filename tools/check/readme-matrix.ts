import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CheckFailure, passed, type Check } from "./check.ts";
import { publicPackages, root } from "./workspace.ts";

type Capabilities = Readonly<Record<string, unknown>>;

const START = "<!-- capabilities: written by `npm test -- --fix matrix` -->";
const END = "<!-- end of capabilities -->";

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
};

/** The capability matrix in the root README says what the packages export. */
export const matrix: Check = {
  name: "matrix",
  needs: ["build"],
  run: async ({ fix }) => {
    const file = join(root, "README.md");
    const readme = await readFile(file, "utf8").catch(() => "");
    const updated = replaceMatrix(readme, capabilityTable(await exportedCapabilities()));
    if (updated === readme) return passed();
    if (!fix) throw new CheckFailure("The matrix in README.md is out of date. Run: npm test -- --fix matrix");
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

/** A Markdown table with a column for each package, padded as the formatter does it. */
export function capabilityTable(packages: ReadonlyMap<string, Capabilities>): string {
  const unnamed = [...packages.values()].flatMap((each) => Object.keys(each)).filter((key) => !(key in ROWS));
  if (unnamed.length > 0) throw new CheckFailure(`Say what these are in readme-matrix.ts: ${unnamed.join(", ")}`);
  const rows = Object.entries(ROWS).map(([key, [label, say]]) => [
    label,
    ...[...packages.values()].map((each) => say(each[key] as never)),
  ]);
  const header = ["", ...[...packages.keys()].map((name) => `\`${name}\``)];
  const widths = header.map((_, column) => Math.max(3, ...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** The README with the table between its markers. */
export function replaceMatrix(readme: string, table: string): string {
  const start = readme.indexOf(START);
  const end = readme.indexOf(END);
  if (start < 0 || end < start) throw new CheckFailure(`README.md needs these two lines:\n${START}\n${END}`);
  return `${readme.slice(0, start + START.length)}\n\n${table}\n\n${readme.slice(end)}`;
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
