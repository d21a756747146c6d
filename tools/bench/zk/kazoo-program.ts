/** The Python program that drives kazoo, seen from Node: see `drive_kazoo.py` for what is said. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { benchFolder } from "../queues/peers.ts";
import { PYTHON, pythonFolder } from "./python.ts";

/** What it can be asked to do. */
export type Request =
  | { readonly do: "put" | "put_all"; readonly jobs: readonly string[] }
  | { readonly do: "work"; readonly consumers: number }
  | { readonly do: "size" | "read" | "stop" };

/** Who is told of jobs. */
export interface Listener {
  job(text: string): void;
  acked(): void;
}

interface Line {
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly job?: string;
  readonly acked?: boolean;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const SCRIPT = join(benchFolder, "zk/drive_kazoo.py");

/** The programs that run, by their process ids. */
export const running: Set<number> = new Set<number>();

const DEAF: Listener = { job: () => undefined, acked: () => undefined };

/** One client of kazoo in a process of its own. */
export class KazooProgram {
  readonly #child: ChildProcess;
  readonly #listener: Listener;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #asked = 0;

  /** Connect to a server. Rejects when Python, kazoo or the server is not there. */
  static async open(hosts: string, path: string, listener: Listener = DEAF): Promise<KazooProgram> {
    const program = new KazooProgram([SCRIPT, hosts, path], listener);
    await program.#answer(0);
    return program;
  }

  constructor(args: readonly string[], listener: Listener) {
    this.#listener = listener;
    const child = spawn(PYTHON, args, {
      env: { ...process.env, PYTHONPATH: pythonFolder },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    if (child.pid !== undefined) running.add(child.pid);
    this.#ended = new Promise((resolve) => {
      child.once("close", () => resolve(this.#over(new Error("the program that drives kazoo has ended"))));
      child.once("error", (error) => resolve(this.#over(error)));
    });
    child.stdin?.on("error", () => undefined); // it has ended, and that is told above
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(JSON.parse(line) as Line));
  }

  /** Have it do this. Rejects with what kazoo raises. */
  ask(request: Request): Promise<unknown> {
    const id = ++this.#asked;
    const answer = this.#answer(id);
    this.#child.stdin!.write(`${JSON.stringify({ id, ...request })}\n`);
    return answer;
  }

  /** Resolves when its consumers have finished what they have, and its process is gone. */
  async close(): Promise<void> {
    await this.ask({ do: "stop" });
    await this.#ended;
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #hear({ id, value, error, job }: Line): void {
    if (job !== undefined) this.#listener.job(job);
    else if (id === undefined) this.#listener.acked();
    else {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(`kazoo: ${error}`));
    }
  }

  #over(error: Error): void {
    if (this.#child.pid !== undefined) running.delete(this.#child.pid);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
