/** A client process, seen from its parent. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Description, Reply, Request, RunSpec, SideName, Timed } from "./spec.ts";

/** No single request takes longer: then the client hangs, and its side is out of the row. In ms. */
const PATIENCE = 300_000;

/** The rows without persistence are meant to be so; and what a fill left behind is collected before the clock starts. */
const FLAGS = ["--disable-warning=PQ_WEAK_SETTINGS", "--expose-gc"];

/** How clients are started. The same for all. */
export interface ClientOptions {
  /** The Node to run them with. Default: this one. */
  readonly node: string | undefined;
  /** Write CPU profiles of the timed parts into this folder. */
  readonly profiles: string | undefined;
}

/** One side, in its own process. */
export class Remote {
  readonly name: SideName;
  readonly #child: ChildProcess;

  /** `module` is the address of the side's module. */
  constructor(name: SideName, module: string, { node, profiles }: ClientOptions) {
    this.name = name;
    const words = profiles === undefined ? [module] : [module, `${profiles}/${name}`];
    this.#child = fork(fileURLToPath(new URL("client.js", import.meta.url)), words, {
      execArgv: FLAGS,
      ...(node === undefined ? {} : { execPath: node }),
    });
  }

  describe(): Promise<Description> {
    return this.#ask({ type: "describe" });
  }

  prepare(spec: RunSpec): Promise<void> {
    return this.#ask({ type: "prepare", spec });
  }

  go(): Promise<Timed> {
    return this.#ask({ type: "go" });
  }

  finish(): Promise<readonly string[]> {
    return this.#ask({ type: "finish" });
  }

  /** Ends the process; resolves when it has ended. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    if (this.#child.connected) this.#child.disconnect();
    await ended;
    clearTimeout(timer);
  }

  async #ask<T>(request: Request): Promise<T> {
    const reply = await this.#reply(request);
    if (!reply.ok) throw new Error(reply.error);
    return reply.value as T;
  }

  #reply(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#child.off("message", answered);
        this.#child.off("exit", died);
      };
      const answered = (message: unknown): void => {
        done();
        resolve(message as Reply);
      };
      const died = (): void => {
        done();
        reject(new Error(`the client died during "${request.type}"`));
      };
      const timer = setTimeout(() => {
        done();
        this.#child.kill("SIGKILL");
        reject(new Error(`the client did not answer "${request.type}" within ${PATIENCE / 1000} s`));
      }, PATIENCE);
      this.#child.on("message", answered);
      this.#child.on("exit", died);
      this.#child.send(request, (error) => {
        if (error !== null) died();
      });
    });
  }
}
