/** What processes use of the machine. Of others than this one it is known where the system has `/proc`. */
import { readFileSync } from "node:fs";
import type { Side } from "./side.ts";

/** So far, and now. */
export interface Usage {
  /** User and system time. */
  readonly cpuUs: number;
  /** Bytes of memory. */
  readonly rss: number;
}

/** Of Linux, on all machines of today. */
const US_PER_TICK = 10_000;
const BYTES_PER_KB = 1024;

/** Of one process; `undefined` when it is not there or the system does not tell. */
export function usageOf(pid: number | undefined): Usage | undefined {
  if (pid === undefined) return undefined;
  try {
    return parseUsage(readFileSync(`/proc/${pid}/stat`, "utf8"), readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return undefined;
  }
}

/** From the files `stat` and `status` of a process. The name of its program, in brackets, may hold anything. */
export function parseUsage(stat: string, status: string): Usage {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const kB = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  return { cpuUs: (Number(fields[11]) + Number(fields[12])) * US_PER_TICK, rss: kB * BYTES_PER_KB };
}

/** Of this process and of those that do the side's work. */
export function usageOfSide(side: Side): Usage {
  const { user, system } = process.cpuUsage();
  const others = (side.processes?.() ?? []).flatMap((pid) => usageOf(pid) ?? []);
  return {
    cpuUs: others.reduce((sum, { cpuUs }) => sum + cpuUs, user + system),
    rss: others.reduce((sum, { rss }) => sum + rss, process.memoryUsage.rss()),
  };
}
