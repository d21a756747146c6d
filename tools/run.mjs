// Runs one tool of this repository on a machine that has only Node and npm:
//
//   node tools/run.mjs <tool> [arguments]
//
// installs the dependencies when they are missing or older than the lockfile, compiles tools/<tool> and what it uses,
// and starts tools/<tool>/dist/main.js. Plain JavaScript without dependencies, since nothing is there before it ran.
//
// The client of @pq/zk is compiled at install, on Linux always. That takes Node's headers, Python, make and a C++ compiler.
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
  const missing = provideCompiler();
  console.log(`Installing dependencies with ${pnpm} …`);
  // The shell is for Windows, where npx is a script; nothing here needs quoting.
  const options = { shell: process.platform === "win32", env: withHeaders() };
  const command = ["--yes", pnpm, "install", "--frozen-lockfile"];
  if (run("npx", command, options) === 0) {
    writeFileSync(stamp, hash);
    return;
  }
  if (run("npx", [...command, "--ignore-scripts"], options) !== 0) give("The dependencies could not be installed.");
  const why = missing.length === 0 ? "see above" : `it needs ${missing.join(", ")}`;
  console.error(`\nThe client of ZooKeeper was not compiled (${why}): @pq/zk and what imports it do not work here.\n`);
}

/** What compiling needs and is not there. Root of a Debian gets it installed. */
function provideCompiler() {
  if (process.platform !== "linux") return [];
  const programs = ["python3", "make", "g++"];
  const absent = () => programs.filter((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status !== 0);
  const missing = absent();
  if (missing.length === 0 || process.getuid() !== 0 || !existsSync("/usr/bin/apt-get")) return missing;
  console.log(`Installing ${missing.join(", ")}, which compile the client of ZooKeeper …`);
  const install = `apt-get install -y -qq --no-install-recommends ${missing.join(" ")}`;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  run("sh", ["-c", `apt-get update -qq; ${install} >/dev/null`], { env });
  return absent();
}

/** The environment that compiles with the headers beside this Node, where they are, instead of those of nodejs.org. */
function withHeaders() {
  const nodedir = dirname(dirname(process.execPath));
  const version = join(nodedir, "include/node/node_version.h");
  if (process.env.npm_config_nodedir !== undefined || !existsSync(version)) return process.env;
  const ours = new RegExp(`^#define NODE_MODULE_VERSION ${process.versions.modules}$`, "m");
  return ours.test(readFileSync(version, "utf8")) ? { ...process.env, npm_config_nodedir: nodedir } : process.env;
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
