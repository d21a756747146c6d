/** The Redis server of one row: of known durability, and asked what a run cost it. */
import { type RedisServer, startRedis } from "@pq/services";
import { loadPeer } from "../queues/peers.ts";
import type { CommandCost, Server, ServerCost } from "../queues/server.ts";
import type { DurabilityClass } from "../queues/spec.ts";

type Class = Exclude<DurabilityClass, "D1">;

/** What they mean, for the report and for the server. */
export const settings: Readonly<Record<Class, { readonly title: string; readonly args: readonly string[] }>> = {
  D0: { title: "memory: no AOF, no RDB", args: ["--appendonly", "no"] },
  D2: {
    title: "disk: appendonly yes, appendfsync always",
    args: ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"],
  },
};

interface Client {
  call(command: string, ...args: readonly string[]): Promise<unknown>;
  disconnect(): void;
}

/** What the benchmark itself calls. */
const OWN = new Set(["config", "config|resetstat", "info", "flushall", "client|setinfo", "hello"]);

/** A server, and the connection that asks it. */
export class MeasuredRedis implements Server {
  readonly title: string;
  readonly url: string;
  readonly #server: RedisServer;
  readonly #client: Client;
  #cpuBefore = 0;
  #memoryBefore = 0;

  /** Starts an empty server. */
  static async start(durability: DurabilityClass): Promise<MeasuredRedis> {
    const server = await startRedis({ using: "program", args: settings[durability as Class].args });
    const { Redis } = await loadPeer<{ readonly Redis: new (port: number, host: string) => Client }>("ioredis");
    return new MeasuredRedis(server, new Redis(server.port, server.host));
  }

  constructor(server: RedisServer, client: Client) {
    this.title = `Redis ${server.version}`;
    this.url = server.url;
    this.#server = server;
    this.#client = client;
  }

  /** Remove everything. */
  async empty(): Promise<void> {
    await this.#client.call("FLUSHALL", "SYNC");
  }

  /** A run begins. */
  async begin(): Promise<void> {
    await this.#client.call("CONFIG", "RESETSTAT");
    this.#cpuBefore = cpuUs(await this.#info("cpu"));
    this.#memoryBefore = await this.usedMemory();
  }

  /** What it cost since `begin`, by command: those from scripts too. The time of a script (`evalsha`) contains that of its commands. */
  async end(): Promise<ServerCost> {
    const cpu = cpuUs(await this.#info("cpu")) - this.#cpuBefore;
    const commands = costByCommand(await this.#info("commandstats"));
    const calls = Object.values(commands).reduce((sum, { calls }) => sum + calls, 0);
    const memory = (await this.usedMemory()) - this.#memoryBefore;
    return { figures: { serverCpuUs: cpu, serverCommands: calls, serverBytes: memory }, commands };
  }

  /** How many bytes it holds more than at `begin`. */
  async grown(): Promise<number> {
    return (await this.usedMemory()) - this.#memoryBefore;
  }

  /** Bytes that it has allocated. */
  async usedMemory(): Promise<number> {
    return Number((await this.#info("memory")).get("used_memory"));
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    await this.#server.close();
  }

  async #info(section: string): Promise<Map<string, string>> {
    const text = (await this.#client.call("INFO", section)) as string;
    const lines = text.split("\r\n").filter((line) => line.includes(":"));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
  }
}

function cpuUs(info: ReadonlyMap<string, string>): number {
  return (Number(info.get("used_cpu_user")) + Number(info.get("used_cpu_sys"))) * 1e6;
}

function costByCommand(info: ReadonlyMap<string, string>): Record<string, CommandCost> {
  const costs: Record<string, CommandCost> = {};
  for (const [name, line] of info) {
    const command = name.replace("cmdstat_", "");
    const [, calls, us] = /calls=(\d+),usec=(\d+)/.exec(line) ?? [];
    if (!OWN.has(command)) costs[command] = { calls: Number(calls), us: Number(us) };
  }
  return costs;
}
