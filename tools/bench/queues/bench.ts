/**
 * `pnpm bench <suite>`: one of our backends beside other queues on the same store and beside the store's raw commands.
 *
 *   pnpm bench redis                                 every row, hours; writes reports/redis.json and redis.md
 *   pnpm bench redis --rows put,drain-c100 --runs 7  some rows; the others of the report stay as they are
 *   pnpm bench redis --quick                         short windows, for work on the benchmark; prints, writes to dist/
 *
 * --sides pq,bullmq   --class D0   --profiles <folder> (CPU profiles of the clients)   PQ_BENCH_NODE=<another node> for the clients
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "./args.ts";
import { measureRow } from "./measure.ts";
import { benchFolder, installPeers } from "./peers.ts";
import { report } from "./report.ts";
import type { Results, RowResult } from "./results.ts";
import type { Suite } from "./suite.ts";

/** Run it with these words of the command line. */
export async function queueBench(suite: Suite, words: readonly string[]): Promise<void> {
  const args = parse(suite, words);
  installPeers();
  const fresh: RowResult[] = [];
  for (const durability of args.classes ?? (await suite.offered())) {
    const wanted = args.rows.filter(({ classes }) => classes.includes(durability));
    if (wanted.length === 0) continue;
    for (const row of wanted) {
      const server = await suite.start(durability);
      try {
        const result = await measureRow(row, durability, server, args);
        fresh.push(result);
        console.log(report(suite, { quick: args.quick, rows: [result] }, { brief: true }));
      } finally {
        await server.close();
      }
      save(suite, args.quick, fresh);
    }
  }
}

/** After each row, so that a run that is cut short leaves what it has. Rows of a full report that were not measured now stay. */
function save(suite: Suite, quick: boolean, fresh: readonly RowResult[]): void {
  const folder = join(benchFolder, quick ? "dist" : "reports");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${suite.name}.json`);
  const before = !quick && existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results).rows : [];
  const nameOf = ({ row, durability }: RowResult): string => `${row.id} ${durability}`;
  const names = new Set(fresh.map(nameOf));
  const results: Results = { quick, rows: [...before.filter((result) => !names.has(nameOf(result))), ...fresh] };
  writeFileSync(file, `${JSON.stringify(results)}\n`);
  writeFileSync(join(folder, `${suite.name}.md`), report(suite, results, { brief: false }));
}
