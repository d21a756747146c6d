import { existsSync } from "node:fs";
import { join } from "node:path";
import { passed, type Check } from "./check.ts";
import { outsider } from "./outsider.ts";
import { packageChecks } from "./packages.ts";
import { pnpm, tool } from "./process.ts";
import { examples } from "./readme-examples.ts";
import { matrix } from "./readme-matrix.ts";
import { tests } from "./tests.ts";
import { root } from "./workspace.ts";

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
  run: async () => passed(await pnpm(["exec", "turbo", "run", "typecheck"])),
};

/** Exports nobody uses, dependencies nobody imports, files nobody reaches. */
const unused: Check = {
  name: "unused",
  run: async () => passed(await tool(["knip"], ["--treat-config-hints-as-errors"])),
};

const build: Check = {
  name: "build",
  run: async () => passed(await pnpm(["exec", "turbo", "run", "build"])),
};

/** All checks. The tests have the machine to themselves, because some of them watch the clock. */
export const stages: readonly (readonly Check[])[] = [
  [format, lint, typecheck, unused, build],
  [tests],
  [packageChecks, matrix, examples, ...(existsSync(join(root, "tools/outsider/backend")) ? [outsider] : [])],
];
