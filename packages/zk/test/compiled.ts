/** Compiles the programs of the tests, so that real processes and threads can run them. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

let folder: string | undefined;

/** The path of a program of `child`, as plain JavaScript. All of them are compiled the first time, and removed when this process ends. */
export function compiled(program: string): string {
  folder ??= compile();
  return join(folder, "zk/test/child", program);
}

function compile(): string {
  const out = fs.mkdtempSync(join(tmpdir(), "pq-zk-child-"));
  process.once("exit", () => fs.rmSync(out, { recursive: true, force: true }));
  const config = {
    extends: join(PACKAGES, "..", "tsconfig.base.json"),
    compilerOptions: {
      outDir: out,
      rootDir: PACKAGES,
      noCheck: true,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      typeRoots: [join(PACKAGES, "zk/node_modules/@types")],
      composite: false,
      isolatedDeclarations: false,
    },
    // Named as roots, since what is reached through node_modules is not emitted.
    include: ["zk/test/child", "zk/src", "core/src"].map((part) => join(PACKAGES, part)),
  };
  fs.writeFileSync(join(out, "tsconfig.json"), JSON.stringify(config));
  fs.writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  execFileSync(join(PACKAGES, "zk/node_modules/.bin/tsc"), ["-p", join(out, "tsconfig.json")], { stdio: "inherit" });
  const exported = { ".": "./src/index.js", "./backend": "./src/backend-api.js", "./state": "./src/state/index.js" };
  fs.writeFileSync(
    join(out, "core/package.json"),
    JSON.stringify({ name: "@pq/core", type: "module", exports: exported }),
  );
  fs.mkdirSync(join(out, "node_modules/@pq"), { recursive: true });
  fs.symlinkSync(join(out, "core"), join(out, "node_modules/@pq/core"));
  fs.symlinkSync(fs.realpathSync(join(PACKAGES, "zk/node_modules/zookeeper")), join(out, "node_modules/zookeeper"));
  return out;
}
