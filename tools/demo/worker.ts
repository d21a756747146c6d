/**
 * The worker process of the demo: `worker.js <queue folder> <input folder> [die after so many files]`.
 * Hashes files and counts their lines, eight at a time, until the queue is empty.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { file, Queue } from "@pq/file";
import type { FileJob } from "./files.ts";
import { tell } from "./record.ts";

const [folder = "", input = "", dieAfter = "never"] = process.argv.slice(2);
let left = dieAfter === "never" ? Infinity : Number(dieAfter);

// The lease is short so that nobody has to wait long for the work of a dead worker. While the worker lives it is renewed.
const queue = new Queue<FileJob>("files", { backend: file(folder), lease: "500ms" });
const worker = queue.work(
  async (job) => {
    const bytes = await readFile(join(input, job.payload.path));
    const hash = createHash("sha256").update(bytes).digest("hex");
    const lines = bytes.toString("latin1").split("\n").length - 1;
    if (--left < 0) process.kill(process.pid, "SIGKILL");
    tell({ type: "done", path: job.payload.path, attempt: job.attempt, hash, lines });
  },
  { concurrency: 8 },
);
worker.on("completed", ({ job }) => tell({ type: "acked", path: job.payload.path }));
worker.on("failed", ({ job, error }) => console.error(`${job.payload.path}: ${String(error)}`));

await queue.join();
await worker.close();
await queue.close();
