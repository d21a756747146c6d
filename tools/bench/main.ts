/**
 * `pnpm bench`: what the parts of @pq cost and buy, as ratios measured side by side in one run.
 *
 *   pnpm bench             the short comparisons, all of them
 *   pnpm bench batcher     one
 *   pnpm bench redis …     @pq/redis beside other queues: see redis/bench.ts
 */
import { cpus } from "node:os";
import { type Comparison, measure } from "./compare.ts";
import { batcher } from "./batcher.ts";
import { redisBench } from "./redis/bench.ts";

const suites: Readonly<Record<string, () => Promise<readonly Comparison[]>>> = { batcher };

const [first, ...rest] = process.argv.slice(2);
if (first === "redis") await redisBench(rest);
else await compare(process.argv.slice(2));

async function compare(wanted: readonly string[]): Promise<void> {
  const unknown = wanted.filter((name) => !(name in suites));
  if (unknown.length > 0) {
    const known = [...Object.keys(suites), "redis"].join(", ");
    throw new Error(`No such benchmark: ${unknown.join(", ")}. There are: ${known}.`);
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
}
