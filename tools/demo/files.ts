/** The input of the demo: the files below a folder, and how urgent each kind is. */
import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";

/** One job of the demo. */
export interface FileJob {
  readonly path: string;
}

/** Folders that hold what others made. */
const SKIPPED = new Set(["node_modules", "dist", ".git", ".turbo"]);

const CODE = new Set([
  ".ts",
  ".mts",
  ".js",
  ".mjs",
  ".cjs",
  ".py",
  ".go",
  ".rs",
  ".java",
  ".c",
  ".h",
  ".cpp",
  ".lua",
  ".sh",
]);
const TEXT = new Set([".md", ".txt", ".rst", ".html"]);

/** Code first, then text, then the rest: lower is sooner. */
export function priorityOf(path: string): number {
  const extension = extname(path).toLowerCase();
  if (CODE.has(extension)) return 0;
  return TEXT.has(extension) ? 1 : 2;
}

/** All regular files below a folder, by relative path, without those that tools produced. */
export async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  const pending = [""];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) pending.push(path);
      if (entry.isFile()) found.push(path);
    }
  }
  return found.sort();
}
