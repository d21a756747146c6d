// Runs one tool of this repository on a machine that has only Node and npm:
//
//   node tools/run.mjs <tool> [arguments]
//
// installs the dependencies when they are missing or older than the lockfile, compiles tools/<tool> and what it uses,
// and starts tools/<tool>/dist/main.js. Plain JavaScript without dependencies, since nothing is there before it ran.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [tool, ...args] = process.argv.slice(2);

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  give(`Node ${process.versions.node} is too old: 20.19 or newer is needed.`);
}
if (tool === undefined || !existsSync(join(root, "tools", tool, "tsconfig.json"))) give(`There is no tool "${tool}".`);

install();
if (run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", join(root, "tools", tool)]) !== 0) {
  give(`tools/${tool} does not compile.`);
}
const code = run(process.execPath, ["--enable-source-maps", join(root, "tools", tool, "dist/main.js"), ...args]);
if (code !== 0 && code !== 1) give(`tools/${tool} ended with ${code}.`);
process.exitCode = code;

/** Installs with the pnpm that package.json names, unless this lockfile has been installed already. */
function install() {
  const stamp = join(root, "node_modules/.lockfile-hash");
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "pnpm-lock.yaml")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  const pnpm = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager;
  console.log(`Installing dependencies with ${pnpm} …`);
  // The shell is for Windows, where npx is a script; nothing here needs quoting.
  if (run("npx", ["--yes", pnpm, "install", "--frozen-lockfile"], { shell: process.platform === "win32" }) !== 0) {
    give("The dependencies could not be installed.");
  }
  writeFileSync(stamp, hash);
}

function run(command, commandArgs, options = {}) {
  const { status, signal, error } = spawnSync(command, commandArgs, { stdio: "inherit", ...options });
  return status ?? signal ?? error?.message ?? "unknown";
}

/** Gives up. The check tool's last line is its result, also when it could not even start. */
function give(reason) {
  console.error(`\n${reason}`);
  if (tool === "check") console.log("\n0 passed, 1 failed");
  process.exit(1);
}
