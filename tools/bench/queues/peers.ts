/** Other people's packages: installed for the benchmark alone, with a lockfile of their own, outside the workspace. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** `tools/bench`, from its compiled form in `dist`. */
export const benchFolder: string = fileURLToPath(new URL("../../", import.meta.url));

const folder = join(benchFolder, "peers");

interface Loader {
  load(name: string): Promise<unknown>;
  versionOf(name: string): string;
}

/** Installs the peers unless this lockfile has been installed already. Throws when npm fails. */
export function installPeers(): void {
  const stamp = join(folder, "node_modules/.lockfile-hash");
  const hash = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  console.log("Installing the other queues …");
  const windows = process.platform === "win32";
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: "inherit",
    shell: windows,
  });
  if (status !== 0) throw new Error("The other queues could not be installed.");
  writeFileSync(stamp, hash);
}

/** A peer's module, in the narrow shape that its side describes. */
export async function loadPeer<T>(name: string): Promise<T> {
  return (await (await loader()).load(name)) as T;
}

/** A peer's version. */
export async function peerVersion(name: string): Promise<string> {
  return (await loader()).versionOf(name);
}

async function loader(): Promise<Loader> {
  return (await import(pathToFileURL(join(folder, "load.mjs")).href)) as Loader;
}
