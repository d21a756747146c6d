/**
 * A server that runs as a child of this process.
 *
 * It does not keep this process alive, and it does not outlive it: an exit handler kills it, and on Linux the kernel does
 * when this process could not, because it was killed itself (`setpriv --pdeathsig`, util-linux).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import type { Socket } from "node:net";
import { delimiter, join } from "node:path";
import { atExit } from "./leftovers.ts";

const START_LIMIT_MS = 30_000;
/** As much of the output as an error message may need. */
const OUTPUT_KEPT = 16_384;

/** What to run, and the line of output that says it is ready. */
export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly ready: RegExp;
  readonly cwd?: string;
}

/** It ended, or said nothing, before it was ready. */
export class StartError extends Error {
  readonly output: string;

  constructor(command: string, reason: string, output: string) {
    super(`${command} ${reason}.\n${output.trim()}`);
    this.name = "StartError";
    this.output = output;
  }
}

/** One program, which can be started again and again. */
export class Program {
  readonly #options: ProgramOptions;
  #child: ChildProcess | undefined;
  #forget: () => void = () => {};
  #output = "";

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /** The end of what it has printed since its last start. */
  get output(): string {
    return this.#output;
  }

  /** Its process id, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Start it; resolves when it is ready. Rejects with StartError. Does nothing while it runs. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const [command, ...args] = diesWithParent([this.#options.command, ...this.#options.args]);
    this.#output = "";
    const child = spawn(command!, args, { cwd: this.#options.cwd, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#forget = atExit(() => child.kill("SIGKILL"));
    child.once("exit", () => this.#ended(child));
    try {
      await this.#ready(child);
    } catch (error) {
      await this.kill();
      throw error;
    }
    detach(child);
  }

  /** SIGKILL it; resolves when it is gone. Does nothing while it does not run. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.ref();
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** SIGSTOP it, until the returned function is called. */
  pause(): () => void {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.#options.command} does not run.`);
    child.kill("SIGSTOP");
    return () => void child.kill("SIGCONT");
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#forget();
  }

  async #ready(child: ChildProcess): Promise<void> {
    const { command, ready } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string): void => {
        clearTimeout(timer);
        reject(new StartError(command, reason, this.#output));
      };
      const timer = setTimeout(() => fail(`was not ready after ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS);
      const collect = (chunk: Buffer): void => {
        this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_KEPT);
        if (!ready.test(this.#output)) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout?.on("data", collect);
      child.stderr?.on("data", collect);
      child.once("close", (code, signal) => fail(`ended with ${signal ?? code}`));
      child.once("error", (error) => {
        this.#ended(child);
        fail(`cannot be started: ${error.message}`);
      });
    });
  }
}

/** Where a program is, or undefined: in the folders of the PATH, and then in these. */
export function findProgram(name: string, ...more: readonly string[]): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders, ...more].map((folder) => join(folder, name)).find(isProgram);
}

/** True when this file can be run. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A forgotten server must not keep a test run from ending. */
function detach(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) (stream as Socket | null)?.unref();
}

let deathSignal: boolean | undefined;

function diesWithParent(command: readonly string[]): readonly string[] {
  const wrapper = ["setpriv", "--pdeathsig", "KILL"];
  deathSignal ??= spawnSync(wrapper[0]!, [...wrapper.slice(1), "true"], { stdio: "ignore" }).status === 0;
  return deathSignal ? [...wrapper, ...command] : command;
}
