/** The client processes of a run: each in a place of its own, with its own proxy; one that was killed is followed by another. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FaultProxy } from "@pq/core/testing";
import type { BugName } from "./client/bugs.ts";
import type { ClientSpec, Order } from "./client/spec.ts";
import type { Recorder } from "./recorder.ts";
import type { Place } from "./store.ts";
import { now } from "./time.ts";

/** What all clients of a run share. */
export interface ClientSettings {
  readonly folder: string;
  readonly seed: number;
  readonly rate: number;
  readonly bug: BugName | undefined;
  /** Deadlines of calls, in ms: clients get them in turn. */
  readonly deadlines: readonly number[];
  readonly conductor: Recorder;
}

/** The control of a weak store warns about it in each process. */
const QUIET = "--disable-warning=PQ_WEAK_SETTINGS";

/** A place for one client process at a time. */
export class Client {
  readonly role: ClientSpec["role"];
  readonly proxy: FaultProxy;
  readonly #place: Place;
  readonly #settings: ClientSettings;
  readonly #title: string;
  readonly #deadline: number;
  #child: ChildProcess | undefined;
  #count = 0;
  #killed = false;
  #stopped = false;

  constructor(
    index: number,
    role: ClientSpec["role"],
    { proxy, place }: { readonly proxy: FaultProxy; readonly place: Place },
    settings: ClientSettings,
  ) {
    this.role = role;
    this.proxy = proxy;
    this.#title = `${role}-${index}`;
    this.#deadline = settings.deadlines[index % settings.deadlines.length]!;
    this.#place = place;
    this.#settings = settings;
  }

  /** The name of the process that runs now, or ran last. */
  get name(): string {
    return `${this.#title}.${this.#count}`;
  }

  /** Start the process. */
  start(): void {
    this.#count++;
    this.#killed = false;
    const { folder, seed, rate, bug } = this.#settings;
    const spec: ClientSpec = {
      role: this.role,
      name: this.name,
      place: this.#place,
      history: join(folder, `${this.name}.jsonl`),
      seed,
      rate,
      deadline: this.#deadline,
      bug,
    };
    // Native clients write of every lost connection.
    const log = join(folder, `${this.name}.log`);
    const output = openSync(log, "a");
    const child = fork(fileURLToPath(new URL("client/main.js", import.meta.url)), [JSON.stringify(spec)], {
      execArgv: [QUIET, "--enable-source-maps"],
      stdio: ["ignore", output, output, "ipc"],
    });
    closeSync(output);
    this.#child = child;
    const { name } = this;
    child.once("exit", (code, signal) => {
      const how = String(signal ?? code);
      if (!this.#killed && how !== "0") console.log(`  ${name} ended with ${how}:\n${endOf(log)}`);
      this.#settings.conductor.write({ type: "gone", at: now(), process: name, killed: this.#killed, how });
      this.#child = undefined;
    });
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#killed = true;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** SIGSTOP, until the returned function is called. */
  stop(): () => void {
    const child = this.#child;
    child?.kill("SIGSTOP");
    this.#stopped = true;
    return () => {
      this.#stopped = false;
      child?.kill("SIGCONT");
    };
  }

  /** Can it be told something? */
  get runs(): boolean {
    return this.#child !== undefined && !this.#stopped;
  }

  tell(order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order);
  }

  /** Let it end by itself; resolves when it is gone. It is killed when it takes too long, which is a fault of it. */
  async end(patience: number): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = once(child, "exit");
    this.tell("end");
    const timer = setTimeout(() => child.kill("SIGKILL"), patience);
    await gone;
    clearTimeout(timer);
  }
}

/** The last lines of a file. */
function endOf(path: string): string {
  return readFileSync(path, "utf8").slice(-4000);
}
