/** The Tarantool server of one row, and what a run cost it by its own `box.stat` and the system. */
import { readdirSync, readFileSync } from "node:fs";
import { startTarantool, type TarantoolServer } from "@pq/services";
import type { CommandCost, Server, ServerCost } from "../queues/server.ts";
import type { DurabilityClass } from "../queues/spec.ts";
import { parseUsage, usageOf } from "../queues/usage.ts";
import { EMPTY, loadQueue, RAW, STATUS } from "./lua.ts";

/** What they mean, for the report. */
export const classes: Readonly<Partial<Record<DurabilityClass, string>>> = {
  D1: "the operating system: wal_mode = 'write'",
  D2: "disk: wal_mode = 'fsync'",
};

/** The folder of tarantool/queue, with its `queue/init.lua`, if there is one. */
export function queueFolder(): string | undefined {
  return process.env["PQ_TARANTOOL_QUEUE"];
}

/** Room for a million jobs, and nothing that works beside the run. */
const CFG = { memtx_memory: 3 * 2 ** 30, checkpoint_interval: 0, checkpoint_count: 1, log_level: 3 };

/** What it says of itself. */
interface Status {
  readonly bytes: number;
  readonly requests: number;
  readonly ops: Readonly<Record<string, number>>;
}

/** CPU time in µs, by the name of the thread. */
type Threads = Readonly<Record<string, number>>;

/** A server, and who asks it. */
export class MeasuredTarantool implements Server {
  readonly title: string;
  readonly url: string;
  readonly #server: TarantoolServer;
  #before: Status | undefined;
  #cpuBefore = 0;
  #threadsBefore: Threads = {};

  /** Starts an empty server, which knows tarantool/queue if that is there. */
  static async start(durability: DurabilityClass): Promise<MeasuredTarantool> {
    const folder = queueFolder();
    const walMode = durability === "D2" ? "fsync" : "write";
    const init = folder === undefined ? RAW : `${loadQueue(folder)}\n${RAW}`;
    return new MeasuredTarantool(await startTarantool({ using: "program", walMode, cfg: CFG, init }));
  }

  constructor(server: TarantoolServer) {
    this.title = `Tarantool ${server.version}`;
    this.url = server.url;
    this.#server = server;
  }

  /** Remove all jobs of everybody. */
  async empty(): Promise<void> {
    await this.#server.admin(EMPTY);
  }

  /** A run begins. */
  async begin(): Promise<void> {
    this.#before = await this.#status();
    this.#threadsBefore = this.#threads();
    this.#cpuBefore = this.#cpuUs();
  }

  /** What it cost since `begin`. Its commands are the requests of clients; the table also has its threads, and what was done to rows. */
  async end(): Promise<ServerCost> {
    const serverCpuUs = this.#cpuUs() - this.#cpuBefore;
    const threads = this.#threads();
    const after = await this.#status();
    const commands: Record<string, CommandCost> = {};
    for (const [name, us] of Object.entries(threads)) {
      commands[`thread ${name}`] = { calls: Number.NaN, us: us - (this.#threadsBefore[name] ?? 0) };
    }
    for (const [name, total] of Object.entries(after.ops)) {
      const calls = total - (this.#before?.ops[name] ?? 0);
      if (calls > 0) commands[name.toLowerCase()] = { calls };
    }
    const serverCommands = after.requests - (this.#before?.requests ?? 0);
    const serverBytes = after.bytes - (this.#before?.bytes ?? 0);
    return { figures: { serverCpuUs, serverCommands, serverBytes }, commands };
  }

  /** How many bytes its rows and indexes have more than at `begin`. */
  async grown(): Promise<number> {
    return (await this.#status()).bytes - (this.#before?.bytes ?? 0);
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  async #status(): Promise<Status> {
    return JSON.parse(await this.#server.admin(STATUS)) as Status;
  }

  #cpuUs(): number {
    return usageOf(this.#server.pid)?.cpuUs ?? Number.NaN;
  }

  /** The main thread, which runs Lua and holds the data, has the name of the program. */
  #threads(): Threads {
    try {
      return threadsOf(`/proc/${this.#server.pid}/task`);
    } catch {
      return {}; // a system without /proc
    }
  }
}

function threadsOf(folder: string): Threads {
  const all: Record<string, number> = {};
  for (const id of readdirSync(folder)) {
    const stat = readFileSync(`${folder}/${id}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    all[name] = (all[name] ?? 0) + parseUsage(stat, "").cpuUs;
  }
  return all;
}
