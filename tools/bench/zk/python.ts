/** Python and what it needs for the benchmark alone: installed next to the compiled benchmark, for nobody else. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { benchFolder } from "../queues/peers.ts";

const requirements = join(benchFolder, "peers/requirements.txt");

/** Where Python finds what was installed: for `PYTHONPATH`. */
export const pythonFolder: string = join(benchFolder, "dist/python");

/** The program that is run. */
export const PYTHON = "python3";

const PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
const EXACTLY = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--upgrade"];

/** Installs what `peers/requirements.txt` names, unless that was done already. Throws when pip fails. */
export function installPython(): void {
  const stamp = join(pythonFolder, ".requirements-hash");
  const hash = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  const args = [...PIP, ...EXACTLY, "--target", pythonFolder, "-r", requirements];
  const { status, error } = spawnSync(PYTHON, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`kazoo could not be installed: ${error?.message ?? `pip ended with ${status}`}`);
  writeFileSync(stamp, hash);
}
