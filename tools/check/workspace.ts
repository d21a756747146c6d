import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the repository. This file is tools/check/dist/workspace.js when it runs. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** A package that users install. */
export interface PublicPackage {
  readonly name: string;
  readonly folder: string;
  /** What can be imported: `@pq/core`, `@pq/core/backend`, … */
  readonly entries: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** The packages below packages/ that are not private; core first, then by name. */
export function publicPackages(): PublicPackage[] {
  const packages: PublicPackage[] = [];
  for (const folder of readdirSync(join(root, "packages")).map((name) => join(root, "packages", name))) {
    if (!existsSync(join(folder, "package.json"))) continue;
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
    if (manifest.private === true) continue;
    const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith(".json"));
    packages.push({ name: manifest.name, folder, entries: entries.map((entry) => manifest.name + entry.slice(1)) });
  }
  return packages.toSorted(
    (a, b) => Number(b.name === "@pq/core") - Number(a.name === "@pq/core") || (a.name < b.name ? -1 : 1),
  );
}

/** Lends a folder outside the repository, and removes it afterwards. */
export async function withScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "pq-check-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
