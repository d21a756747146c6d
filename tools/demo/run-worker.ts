import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Line } from "./record.ts";

/** Run a worker process to its end, passing on what it tells. Gives its exit code, or the signal that killed it. */
export async function runWorker(args: readonly string[], onLine: (line: Line) => void): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "worker.js"), ...args], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) onLine(JSON.parse(line) as Line);
  const [code, signal] = await exit;
  return signal ?? String(code);
}
