/** A member of a team, seen from the client. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunSpec } from "../spec.ts";
import type { Findings, TeamReply, TeamRequest } from "./messages.ts";

/** Members of former runs: their code is compiled already, as that of the client is. */
const idle: Member[] = [];

/** A member that is in no run. */
export function hire(): Member {
  return idle.pop() ?? new Member();
}

/** They have finished a run. */
export function release(members: readonly Member[]): void {
  idle.push(...members);
}

/** One process of a team, which may be in one run after the other. It ends with the client. */
export class Member {
  /** Rejects when it fails or ends by itself. */
  readonly failure: Promise<never>;
  /** Time of a processor since the start of this run. */
  cpuUs = 0;
  readonly #child: ChildProcess;
  #onAcked: (more: number) => void = () => undefined;
  #acked = 0;
  #answered: (reply: TeamReply) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor() {
    this.failure = new Promise((_, reject) => (this.#fail = reject));
    this.failure.catch(() => undefined);
    this.#child = fork(fileURLToPath(new URL("process.js", import.meta.url)), { serialization: "advanced" });
    this.#child.on("message", (reply) => this.#hear(reply as TeamReply));
    this.#child.on("exit", () => this.#fail(new Error("a process of the team died")));
  }

  /** Connect workers for a run. `onAcked` is told how many more jobs have ended. */
  async prepare(spec: RunSpec, workers: number, onAcked: (more: number) => void): Promise<void> {
    this.cpuUs = 0;
    this.#acked = 0;
    this.#onAcked = onAcked;
    await this.#ask({ type: "prepare", spec, workers });
  }

  start(): void {
    this.#send({ type: "start" });
  }

  /** Close its workers. */
  async finish(): Promise<Findings> {
    const reply = await this.#ask({ type: "finish" });
    if (reply.type !== "finished") throw new Error(`a process of the team answered "${reply.type}"`);
    return reply;
  }

  #ask(request: TeamRequest): Promise<TeamReply> {
    const answer = new Promise<TeamReply>((resolve) => (this.#answered = resolve));
    this.#send(request);
    return Promise.race([answer, this.failure]);
  }

  #send(request: TeamRequest): void {
    this.#child.send(request, (error) => {
      if (error !== null) this.#fail(error);
    });
  }

  #hear(reply: TeamReply): void {
    if (reply.type === "failed") this.#fail(new Error(reply.error));
    else if (reply.type === "progress") {
      this.cpuUs = reply.cpuUs;
      this.#onAcked(reply.acked - this.#acked);
      this.#acked = reply.acked;
    } else this.#answered(reply);
  }
}
