/**
 * `npm run demo -- [folder]`: queue every file below a folder, kill the worker half-way, go on, and count.
 *
 * The producer, the first worker and the second worker are processes of their own, one after the other, on one queue folder.
 * The checks at the end rest on what the workers wrote down before they died, not on what the queue says of itself.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { file, Queue } from "@pq/file";
import { type FileJob, filesBelow, priorityOf } from "./files.ts";
import { History } from "./history.ts";
import { Progress } from "./progress.ts";
import { runWorker } from "./run-worker.ts";

const input = resolve(process.argv[2] ?? join(import.meta.dirname, "../../.."));
const paths = await filesBelow(input).catch(() => []);
if (paths.length === 0) {
  console.error(`There is no file below ${input}. Give a folder: npm run demo -- <folder>`);
  process.exit(1);
}

const folder = await mkdtemp(join(tmpdir(), "pq-demo-"));
const began = performance.now();
console.log(`Queueing the ${paths.length} files below ${input}: code first, then text, then the rest.`);
const queue = new Queue<FileJob>("files", { backend: file(folder) });
const queueing = performance.now();
await queue.putMany(
  paths.map((path) => ({ path })),
  ({ path }) => ({ priority: priorityOf(path) }),
);
console.log(`  ${paths.length} jobs are on disk after ${Math.round(performance.now() - queueing)} ms.`);
await queue.close();

const progress = new Progress(paths.length);
const history = new History();
const half = Math.floor(paths.length / 2);
const first = await runWorker([folder, input, String(half)], (line) => progress.show(history.add(line, "first")));
progress.end();
console.log(`The first worker had done ${history.doneBy("first")} files when SIGKILL hit it (exit: ${first}).`);
const second = await runWorker([folder, input], (line) => progress.show(history.add(line, "second")));
progress.end();
console.log(`The second worker opened the same folder and did ${history.doneBy("second")} (exit: ${second}).`);
const seconds = (performance.now() - began) / 1000;

const report = history.report(paths);
console.log(`
  files              ${paths.length}
  lines              ${report.lines}
  redelivered        ${report.redelivered}   in the hands of the first worker when it died
  done twice         ${report.twice}   finished, but killed before the ack: at-least-once means these
  lost               ${report.lost.length}
  after the ack      ${report.afterAck.length}   done again although the queue had confirmed the ack
  unexplained        ${report.unexplained.length}   done twice without a redelivery
  time               ${seconds.toFixed(1)} s
`);
await rm(folder, { recursive: true });
const wrong = [...report.lost, ...report.afterAck, ...report.unexplained];
console.log(wrong.length === 0 ? "Every file was done; none was lost." : `WRONG: ${wrong.join(", ")}`);
process.exitCode = wrong.length === 0 && second === "0" ? 0 : 1;
