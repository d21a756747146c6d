/**
 * A backend by an outsider: tools/outsider/backend is written from packages/core/docs/backends.md alone. It is copied out of
 * the workspace, gets @pq/core from its tarball, is compiled against the published types, and runs the exported
 * conformance suite under node:test. What works there works for everybody who writes a backend.
 */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CheckFailure, passed, type Check } from "./check.ts";
import { install, pack } from "./packages.ts";
import { bin, mustRun, run } from "./process.ts";
import { publicPackages, root, withScratch } from "./workspace.ts";

export const outsider: Check = {
  name: "outsider",
  needs: ["build"],
  run: async () =>
    withScratch(async (scratch) => {
      const core = publicPackages().find((each) => each.name === "@pq/core");
      if (core === undefined) throw new Error("There is no @pq/core.");
      await cp(join(root, "tools/outsider/backend"), join(scratch, "src"), { recursive: true });
      await install(scratch, [await pack(core, scratch)]);
      await compile(scratch);
      return passed(...(await runSuite(scratch)));
    }),
};

/** Compiles as an author would: strict, against the published declarations, with nothing of this workspace but @types/node. */
async function compile(scratch: string): Promise<void> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    module: "NodeNext",
    target: "ES2023",
    lib: ["ES2023", "ESNext.Disposable"],
    rewriteRelativeImportExtensions: true,
    rootDir: "src",
    outDir: "dist",
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
  };
  await writeFile(join(scratch, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  await mustRun(process.execPath, [bin("tsc", "typescript"), "-p", "."], { cwd: scratch });
}

/** Runs the tests and returns their report and how many passed. */
async function runSuite(scratch: string): Promise<[output: string, note: string]> {
  const report = join(scratch, "report.tap");
  const reporter = ["--test-reporter=tap", `--test-reporter-destination=${report}`];
  const { code, output } = await run(process.execPath, ["--test", ...reporter], { cwd: join(scratch, "dist") });
  const tap = await readFile(report, "utf8").catch(() => "");
  const count = (word: string): number => Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  if (code !== 0 || count("pass") === 0) throw new CheckFailure(`${failures(tap)}\n${output}`);
  return [tap, `${count("pass")} passed, ${count("skipped")} skipped`];
}

/** The parts of a TAP report that tell of failures: `not ok` and the indented lines after it. */
function failures(tap: string): string {
  const told = tap.match(/^ *not ok .*\n(?: +.*\n)*/gm) ?? [];
  return told.length > 0 ? told.join("\n") : tap;
}
