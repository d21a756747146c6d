/** Runs tools/faults. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figures } from "../faults/figures.ts";
import type { StoreName } from "../faults/store.ts";

/** What is read of the figures of a run. */
type Facts = Figures & { readonly cuts: number; readonly restarts: number };

/** A run that failed is made again with its seed. */
const seed = process.env["PQ_FAULTS_SEED"] ?? String(Math.floor(Math.random() * 1e9));

/** One run, which leaves its histories in this folder. */
export async function runFaults(
  store: StoreName,
  folder: string,
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly output: string; readonly facts: Facts }> {
  const json = join(folder, "figures.json");
  console.log(`faults: seed ${seed} (PQ_FAULTS_SEED repeats it)`);
  const tool = join(import.meta.dirname, "../run.mjs");
  const own = ["--seed", seed, "--json", json, "--keep", folder];
  const { code, output } = await execute([tool, "faults", store, ...own, ...words]);
  const facts = JSON.parse(await readFile(json, "utf8").catch(() => Promise.reject(new Error(output)))) as Facts;
  return { code, output, facts };
}

function execute(words: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, words, { maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
    });
  });
}
