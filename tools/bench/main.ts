/**
 * `pnpm bench`: what the parts of @pq cost and buy, as ratios measured side by side in one run.
 *
 *   pnpm bench             the short comparisons, all of them
 *   pnpm bench batcher     one
 *   pnpm bench redis …     @pq/redis beside other queues: see queues/bench.ts
 *   pnpm bench mongo …     @pq/mongo likewise
 *   pnpm bench tarantool … @pq/tarantool likewise
 *   pnpm bench zk …        @pq/zk likewise
 */
import { cpus } from "node:os";
import { type Comparison, measure } from "./compare.ts";
import { batcher } from "./batcher.ts";
import { mongoSuite } from "./mongo/suite.ts";
import { queueBench } from "./queues/bench.ts";
import type { Suite } from "./queues/suite.ts";
import { redisSuite } from "./redis/suite.ts";
import { tarantoolSuite } from "./tarantool/suite.ts";
import { zkSuite } from "./zk/suite.ts";

const suites: Readonly<Record<string, () => Promise<readonly Comparison[]>>> = { batcher };

/** These run alone. */
const queueSuites: Readonly<Record<string, Suite>> = {
  redis: redisSuite,
  mongo: mongoSuite,
  tarantool: tarantoolSuite,
  zk: zkSuite,
};

const [first = "", ...rest] = process.argv.slice(2);
const queueSuite = queueSuites[first];
if (queueSuite === undefined) await compare(process.argv.slice(2));
else await queueBench(queueSuite, rest);

async function compare(wanted: readonly string[]): Promise<void> {
  const unknown = wanted.filter((name) => !(name in suites));
  if (unknown.length > 0) {
    const known = [...Object.keys(suites), ...Object.keys(queueSuites)].join(", ");
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
