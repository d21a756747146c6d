import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CheckFailure } from "./check.ts";
import { root } from "./workspace.ts";

const TIME_LIMIT = 16 * 60_000;

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const child of running) stop(child);
    process.exit(130);
  });
}

/** Runs a command to its end and returns what it printed. Past the time limit it and its children are killed. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, NO_COLOR: "1", DO_NOT_TRACK: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that the whole family can be killed. The shell is for npm's scripts on Windows.
      detached: process.platform !== "win32",
      shell: process.platform === "win32" && (command === "npm" || command === "npx"),
    });
    running.add(child);
    let output = "";
    const collect = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setTimeout(() => {
      output += `\nKilled: not done after ${TIME_LIMIT / 60_000} minutes.`;
      stop(child);
    }, TIME_LIMIT);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, output });
    });
  });
}

/** Runs a command that must end well; returns what it printed. */
export async function mustRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new CheckFailure(output.trim() === "" ? `${command} ended with ${code}` : output);
  return output;
}

/** The file that Node runs for a command of an installed package. */
export function bin(name: string, packageName: string = name): string {
  const folder = join(root, "node_modules", packageName);
  const { bin: bins } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    bin: string | Record<string, string>;
  };
  const file = typeof bins === "string" ? bins : bins[name];
  if (file === undefined) throw new Error(`${packageName} has no command ${name}`);
  return join(folder, file);
}

/** Runs a command of an installed package; it must end well. */
export async function tool(
  [name, packageName]: readonly [name: string, packageName?: string],
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return mustRun(process.execPath, [bin(name, packageName), ...args], options);
}

/** Runs the pnpm that package.json names, which need not be installed. */
export async function pnpm(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { packageManager: string };
  return mustRun("npx", ["--yes", manifest.packageManager, ...args], options);
}

function stop(child: ChildProcess): void {
  try {
    if (process.platform === "win32" || child.pid === undefined) child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}
