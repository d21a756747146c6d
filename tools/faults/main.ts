/**
 * `node tools/run.mjs faults <store> …`: real processes on a real server under faults, and whether every promise was kept.
 *
 * Ends with 0 when no rule was violated; with `--weak` or `--bug`, when one was.
 */
import { writeFile } from "node:fs/promises";
import { readArguments, type RunOptions, usage } from "./args.ts";
import { check } from "./check/index.ts";
import type { Violation } from "./check/violation.ts";
import { figuresOf } from "./figures.ts";
import { commandOf, reportOf } from "./report.ts";
import { RECOVERY, run } from "./run.ts";

const options = tryToRead();
if (options === undefined) process.exitCode = 1;
else await main(options);

async function main(options: RunOptions): Promise<void> {
  console.log(`${commandOf(options)}\n`);
  const result = await run(options);
  const violations = check(result.history, { recovery: RECOVERY, exactCounters: result.exactCounters });
  const figures = figuresOf(result, violations);
  const report = reportOf(options, result, { figures, violations });
  console.log(report);
  if (options.report !== undefined) await writeFile(options.report, report);
  const { history: _history, ...facts } = result;
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify({ options, ...facts, ...figures }));
  process.exitCode = verdict(options, violations);
}

function verdict({ weak, bug, seed }: RunOptions, violations: readonly Violation[]): number {
  if (weak || bug !== undefined) {
    const seen = violations.length > 0 && (!weak || violations.some(({ rule }) => rule === "lost"));
    console.log(seen ? "The checks see it, as they must." : `WRONG: the checks do not see it (seed ${seed}).`);
    return seen ? 0 : 1;
  }
  console.log(
    violations.length === 0 ? "Every promise was kept." : `WRONG: ${violations.length} violations (seed ${seed}).`,
  );
  return violations.length === 0 ? 0 : 1;
}

function tryToRead(): RunOptions | undefined {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return undefined;
  }
}
