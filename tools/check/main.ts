/**
 * `npm test`: every check of this repository, in stages. Checks of one stage run side by side.
 *
 *   npm test                    all of them
 *   npm test -- lint tests      only those (and what they need)
 *   npm test -- --verbose       with the output of those that pass
 *   npm test -- --fix format    mends what a machine can mend: the format, the matrix in the README
 *
 * The last line is `N passed, N failed`: each test counts as one, and each other check as one.
 */
import { parseArgs } from "node:util";
import { CheckFailure, describe, failed, runCheck, type Check, type Result } from "./check.ts";
import { stages } from "./stages.ts";

const results: Result[] = [];
let complete = false;

// The last line comes whatever happens: after an error that nobody caught, and after a check that never answers.
process.once("exit", () => {
  const sum = (key: "passed" | "failed"): number => results.reduce((all, result) => all + result[key], 0);
  if (!complete && sum("failed") === 0) record(failed("check", "Ended before all checks had answered."));
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
  process.exitCode = sum("failed") === 0 ? 0 : 1;
});
process.once("uncaughtException", (error) => {
  record(failed("check", describe(error)));
  process.exit(1);
});

const { values, positionals } = parseArgs({
  options: { fix: { type: "boolean", default: false }, verbose: { type: "boolean", default: false } },
  allowPositionals: true,
});

const known = stages.flat().map((check) => check.name);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) throw new CheckFailure(`No such check: ${unknown.join(", ")}. There are: ${known.join(", ")}.`);

for (const stage of stages) {
  const before = [...results];
  await Promise.all(stage.filter(wanted).map(async (check) => record(await runCheck(check, before, values))));
}
complete = true;

function wanted(check: Check): boolean {
  if (positionals.length === 0 || positionals.includes(check.name)) return true;
  return stages.flat().some((other) => positionals.includes(other.name) && other.needs?.includes(check.name));
}

function record(result: Result): void {
  results.push(result);
  print(result);
}

function print(result: Result): void {
  const mark = result.failed === 0 ? "ok  " : "FAIL";
  const notes = result.note === undefined ? "" : `  ${result.note}`;
  console.log(`${mark}  ${result.name.padEnd(16)} ${(result.ms / 1000).toFixed(1).padStart(6)} s${notes}`);
  if ((result.failed > 0 || values.verbose) && result.output.trim() !== "") {
    console.log(`\n${result.output.trim().replaceAll(/^/gm, "      ")}\n`);
  }
}
