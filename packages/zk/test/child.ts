/** Runs `child/main.ts` as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { eventually } from "@pq/core/testing";
import { compiled } from "./compiled.ts";

/** A process. */
export class Child {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  /** Its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  /** What it wrote on its error output, without what the native client logs there of its own accord. */
  get errors(): string {
    return this.#errors.replaceAll(/^.*:ZOO_(?:ERROR|WARN)@.*\n/gm, "");
  }
  #errors = "";

  /** Start it: what to do, on which servers, in which root, with sessions of so many ms. */
  constructor(command: "work" | "hold", hosts: string, root: string, session = 4000) {
    this.process = spawn(process.execPath, [compiled("main.js"), command, hosts, root, String(session)], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    createInterface({ input: this.process.stdout! }).on("line", (line) => this.lines.push(line));
    this.process.stderr!.on("data", (text: Buffer) => (this.#errors += text.toString()));
    this.ended = new Promise((resolve) => {
      this.process.once("close", (code, signal) => resolve(code ?? signal));
    });
  }

  tell(line: string): void {
    this.process.stdin!.write(`${line}\n`);
  }

  /** The rest of the first line that begins so. */
  async said(start: string, patience = 30_000): Promise<string> {
    return eventually(
      async () => {
        const line = this.lines.find((one) => one.startsWith(start));
        if (line === undefined) throw new Error(`not said: ${start}; last: ${this.lines.at(-1)} ${this.errors}`);
        return line.slice(start.length).trim();
      },
      { patience },
    );
  }

  /** How many lines begin so. */
  count(start: string): number {
    return this.lines.filter((line) => line.startsWith(start)).length;
  }
}
