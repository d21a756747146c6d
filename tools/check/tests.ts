import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Check, Outcome } from "./check.ts";
import { bin, run } from "./process.ts";
import { root, withScratch } from "./workspace.ts";

/** What is read of vitest's JSON report. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
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
  const reasons = report.testResults.flatMap(failuresOf);
  // An error outside of any test, and a run without tests, fail too.
  if (reasons.length === 0 && (code !== 0 || !report.success || report.numPassedTests === 0)) {
    reasons.push("no test failed, but the run did");
  }
  const skipped = report.numPendingTests + report.numTodoTests;
  return {
    passed: report.numPassedTests,
    failed: reasons.length,
    output,
    note: [`${report.numPassedTests} passed, ${skipped} skipped`, ...reasons, ...notTested(output)].join("\n"),
  };
}

/** A line for each failed test of a file. One that cannot be loaded has none, yet it is a failure. */
function failuresOf({ name, status, message, assertionResults }: Report["testResults"][number]): string[] {
  const file = relative(root, name);
  const bad = assertionResults.filter((test) => test.status === "failed");
  if (bad.length === 0 && status === "failed") return [`${file}: ${firstLine(message)}`];
  return bad.map((test) => `${file}: ${test.fullName}: ${firstLine(test.failureMessages[0] ?? "")}`);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** The lines that say which server was not to be had, and how to get it. */
function notTested(output: string): string[] {
  return output
    .split("\n")
    .filter((line, index, lines) => [line, lines[index - 1]].some((each) => each?.startsWith("NOT TESTED:") === true));
}
