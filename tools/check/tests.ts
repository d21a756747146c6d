import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Check, Outcome } from "./check.ts";
import { bin, run } from "./process.ts";
import { withScratch } from "./workspace.ts";

/** What is read of vitest's JSON report. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Unit tests and the conformance suite on every backend. Each test counts. */
export const tests: Check = {
  name: "tests",
  run: async () =>
    withScratch(async (folder) => {
      const file = join(folder, "report.json");
      const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
      const { code, output } = await run(process.execPath, [bin("vitest"), "run", ...reporters]);
      return count(readReport(file), code, output);
    }),
};

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined; // vitest did not get that far
  }
}

function count(report: Report | undefined, code: number | null, output: string): Outcome {
  if (report === undefined) return { passed: 0, failed: 1, output };
  // A file that cannot be loaded has no failing test, yet it is a failure.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  const failures = report.numFailedTests + brokenFiles;
  // The same for an error outside of any test, and for a run without tests.
  const unexplained = failures === 0 && (code !== 0 || !report.success || report.numPassedTests === 0) ? 1 : 0;
  const skipped = report.numPendingTests + report.numTodoTests;
  return {
    passed: report.numPassedTests,
    failed: failures + unexplained,
    output,
    note: [`${report.numPassedTests} passed, ${skipped} skipped`, ...notTested(output)].join("\n"),
  };
}

/** The lines that say which server was not to be had, and how to get it. */
function notTested(output: string): string[] {
  return output
    .split("\n")
    .filter((line, index, lines) => [line, lines[index - 1]].some((each) => each?.startsWith("NOT TESTED:") === true));
}
