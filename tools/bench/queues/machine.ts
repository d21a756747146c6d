import { spawnSync } from "node:child_process";
import { cpus, loadavg, release, tmpdir, totalmem, type } from "node:os";
import type { Machine } from "./results.ts";

/** This machine, now. */
export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown processor",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    disk: said("stat", ["-f", "-c", "%T", tmpdir()]),
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

/** The commit that is measured; with `+` when files differ from it. */
export function thisCommit(): string {
  const changed = said("git", ["status", "--porcelain", "--untracked-files=no"]) !== "";
  return said("git", ["rev-parse", "--short", "HEAD"]) + (changed ? "+" : "");
}

function said(command: string, args: readonly string[]): string {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? stdout.trim() : "unknown";
}
