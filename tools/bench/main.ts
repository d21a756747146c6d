/**
 * `pnpm bench`: what the parts of @pq cost and buy, as ratios measured side by side in one run.
 *
 *   pnpm bench             every comparison
 *   pnpm bench batcher     one
 */
import { cpus } from "node:os";
import { type Comparison, measure } from "./compare.ts";
import { batcher } from "./batcher.ts";

const suites: Readonly<Record<string, () => Promise<readonly Comparison[]>>> = { batcher };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in suites));
if (unknown.length > 0) {
  throw new Error(`No such benchmark: ${unknown.join(", ")}. There are: ${Object.keys(suites).join(", ")}.`);
}

console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}`);
console.log("Median of the ratio over rounds of A B B A, with its range; the control is A against A.\n");
for (const [name, suite] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const comparison of await suite()) {
    console.log(await measure(comparison));
    await comparison.end?.();
  }
}
