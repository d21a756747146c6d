/** The MongoDB server of one row, or what stands in for one, and what a run cost it by its own serverStatus. */
import { type MongoServer, startMongo } from "@pq/services";
import type { CommandCost, Server, ServerCost } from "../queues/server.ts";
import type { DurabilityClass } from "../queues/spec.ts";
import { type Client, connect, DATABASE } from "./driver.ts";

/** The most memory of a stand-in's heap, in MiB: room for a million documents of the peers twice, since what is deleted is collected late. */
const HEAP = 8192;

/** What the benchmark itself calls. */
const OWN = new Set(["serverStatus", "dbStats", "dropDatabase"]);

interface Status {
  readonly metrics: { readonly commands: Readonly<Record<string, { readonly total: number } | number>> };
  readonly extra_info: { readonly user_time_us: number; readonly system_time_us: number };
}

/** A server, and the client that asks it. */
export class MeasuredMongo implements Server {
  readonly title: string;
  readonly url: string;
  readonly #server: MongoServer;
  readonly #client: Client;
  #before: Status | undefined;
  #bytesBefore = 0;

  /** Starts an empty server, or finds one by its address. Throws when what is to be had is not so durable, or more. */
  static async start(durability?: DurabilityClass): Promise<MeasuredMongo> {
    const server = await startMongo({
      using: ["address", "container", "program", "stand-in"],
      storage: "memory",
      heap: HEAP,
    });
    const measured = new MeasuredMongo(server, await connect(server, { heartbeatFrequencyMS: 600_000 }));
    if (durability === undefined || durability === measured.durability) return measured;
    await measured.close();
    throw new Error(`${durability} is not to be had: ${measured.title} is ${measured.durability}`);
  }

  constructor(server: MongoServer, client: Client) {
    this.title = server.genuine ? `MongoDB ${server.version}, ${server.source}` : server.source;
    this.url = server.url;
    this.#server = server;
    this.#client = client;
  }

  /** What it keeps of a write that is answered. */
  get durability(): DurabilityClass {
    return this.#server.genuine ? "D2" : "D0";
  }

  /** Remove everything of the benchmark's. */
  async empty(): Promise<void> {
    await this.#client.db(DATABASE).dropDatabase();
  }

  /** A run begins. */
  async begin(): Promise<void> {
    this.#bytesBefore = await this.#bytes();
    this.#before = await this.#status();
  }

  /** What it cost since `begin`. */
  async end(): Promise<ServerCost> {
    const after = await this.#status();
    const commands = newCalls(this.#before!, after);
    const calls = Object.values(commands).reduce((sum, { calls }) => sum + calls, 0);
    const figures = {
      serverCpuUs: cpuUs(after) - cpuUs(this.#before!),
      serverCommands: calls,
      serverBytes: await this.grown(),
    };
    return { figures, commands };
  }

  /** How many bytes its documents have more than at `begin`. */
  async grown(): Promise<number> {
    return (await this.#bytes()) - this.#bytesBefore;
  }

  async close(): Promise<void> {
    if (this.#server.using === "address") await this.empty();
    await this.#client.close();
    await this.#server.close();
  }

  async #bytes(): Promise<number> {
    return Number((await this.#client.db(DATABASE).command({ dbStats: 1 }))["dataSize"]);
  }

  async #status(): Promise<Status> {
    return (await this.#client.db("admin").command({ serverStatus: 1 })) as unknown as Status;
  }
}

function cpuUs({ extra_info: { user_time_us, system_time_us } }: Status): number {
  return user_time_us + system_time_us;
}

function newCalls(before: Status, after: Status): Record<string, CommandCost> {
  const calls: Record<string, CommandCost> = {};
  for (const name of Object.keys(after.metrics.commands)) {
    const more = totalOf(after, name) - totalOf(before, name);
    if (more > 0 && !OWN.has(name)) calls[name] = { calls: more };
  }
  return calls;
}

function totalOf({ metrics }: Status, name: string): number {
  const entry = metrics.commands[name];
  return typeof entry === "object" ? entry.total : 0;
}
