/** Compiles sources and children of the tests to plain JavaScript, so that real processes can run them. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** A child program that `node` can run, and the way to remove it. */
export interface Compiled {
  readonly program: string;
  remove(): void;
}

/** Compile `child/main.ts` and all that it needs. */
export function compileChild(): Compiled {
  const out = fs.mkdtempSync(join(tmpdir(), "pq-file-child-"));
  const config = {
    extends: join(PACKAGES, "..", "tsconfig.base.json"),
    compilerOptions: {
      outDir: out,
      rootDir: PACKAGES,
      noCheck: true,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      typeRoots: [join(PACKAGES, "file/node_modules/@types")],
      composite: false,
      isolatedDeclarations: false,
    },
    // Named as roots, since what is reached through node_modules is not emitted.
    include: ["file/test/child", "file/src", "core/src"].map((part) => join(PACKAGES, part)),
  };
  fs.writeFileSync(join(out, "tsconfig.json"), JSON.stringify(config));
  execFileSync(join(PACKAGES, "file/node_modules/.bin/tsc"), ["-p", join(out, "tsconfig.json")], { stdio: "inherit" });
  fs.writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  fs.writeFileSync(
    join(out, "core/package.json"),
    JSON.stringify({
      name: "@pq/core",
      type: "module",
      exports: { "./backend": "./src/backend-api.js", "./state": "./src/state/index.js" },
    }),
  );
  fs.mkdirSync(join(out, "node_modules/@pq"), { recursive: true });
  fs.symlinkSync(join(out, "core"), join(out, "node_modules/@pq/core"));
  return {
    program: join(out, "file/test/child/main.js"),
    remove: () => fs.rmSync(out, { recursive: true, force: true }),
  };
}
