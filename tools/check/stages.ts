import { passed, type Check, type Outcome } from "./check.ts";
import { outsider } from "./outsider.ts";
import { packageChecks } from "./packages.ts";
import { pnpm, tool } from "./process.ts";
import { examples } from "./readme-examples.ts";
import { matrix } from "./readme-matrix.ts";
import { tests } from "./tests.ts";

const format: Check = {
  name: "format",
  run: async ({ fix }) => passed(await tool(["oxfmt"], fix ? ["."] : ["--check", "."])),
};

const lint: Check = {
  name: "lint",
  run: async ({ fix }) => passed(await tool(["oxlint"], fix ? ["--fix"] : [])),
};

const typecheck: Check = {
  name: "typecheck",
  run: async () => turbo("typecheck"),
};

/** Exports nobody uses, dependencies nobody imports, files nobody reaches. */
const unused: Check = {
  name: "unused",
  run: async () => passed(await tool(["knip"], ["--treat-config-hints-as-errors"])),
};

const build: Check = {
  name: "build",
  run: async () => turbo("build"),
};

/**
 * All checks. Types come after the build, because the tools use the packages as built. The tests have the machine to
 * themselves, because some of them watch the clock.
 */
export const stages: readonly (readonly Check[])[] = [
  [format, lint, unused, build],
  [typecheck],
  [tests],
  [packageChecks, matrix, examples, outsider],
];

/** Runs a task in every package that has it. */
async function turbo(task: string): Promise<Outcome> {
  return passed(
    await pnpm(["exec", "turbo", "run", task, "--output-logs=errors-only", "--continue=dependencies-successful"]),
  );
}
