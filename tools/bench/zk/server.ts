/** The ZooKeeper server of one row, and what a run cost it by its own `mntr`, the system and the JVM. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fourLetter, startZk, type ZkServer } from "@pq/services";
import type { CommandCost, Server, ServerCost } from "../queues/server.ts";
import type { DurabilityClass, Figures } from "../queues/spec.ts";
import { usageOf } from "../queues/usage.ts";
import { inLanes } from "../queues/workload.ts";
import { ZkConnection } from "./client.ts";

/** What they mean, for the report. */
export const classes: Readonly<Partial<Record<DurabilityClass, string>>> = {
  D0: "memory: forceSync=no",
  D2: "disk: every write is synced before it is answered",
};

/** The most memory of its heap, in MiB: room for a million jobs of those who keep one in a node. */
const HEAP = 1024;

/** For runs that last, both compilers of Java. */
const JVM = ["-XX:TieredStopAtLevel=4"];

/** What is there of itself. */
const OWN = "zookeeper";

/** Deletes at a time. */
const DELETES = 500;

const MIB = 2 ** 20;

/** What it says of itself, by the names of `mntr`. */
type Monitor = ReadonlyMap<string, number>;

/** How often it did what, by the names of `mntr`. */
const COUNTS = { reads: "zk_cnt_readlatency", updates: "zk_cnt_updatelatency", syncs: "zk_cnt_fsynctime" } as const;

/** A server, and who asks it. */
export class MeasuredZk implements Server {
  readonly title: string;
  readonly url: string;
  readonly #server: ZkServer;
  #before: Monitor = new Map();
  #cpuBefore = 0;

  /** Starts an empty server. */
  static async start(durability: DurabilityClass): Promise<MeasuredZk> {
    const fsync = durability === "D2";
    return new MeasuredZk(await startZk({ using: ["program", "container"], heap: HEAP, jvm: JVM, fsync }));
  }

  constructor(server: ZkServer) {
    this.title = `ZooKeeper ${server.version}, one server`;
    this.url = server.hosts;
    this.#server = server;
  }

  /** Delete every node. */
  async empty(): Promise<void> {
    const client = await ZkConnection.open(this.url);
    try {
      for (const name of await client.children("/")) if (name !== OWN) await deleteAll(client, `/${name}`);
    } finally {
      client.close();
    }
  }

  /** A run begins. */
  async begin(): Promise<void> {
    this.#before = await this.#monitor();
    this.#cpuBefore = this.#cpuUs();
  }

  /** What it cost since `begin`. Its commands are packets: pings too. */
  async end(): Promise<ServerCost> {
    const serverCpuUs = this.#cpuUs() - this.#cpuBefore;
    const after = await this.#monitor();
    const more = (name: string): number => (after.get(name) ?? Number.NaN) - (this.#before.get(name) ?? Number.NaN);
    const commands: Record<string, CommandCost> = {};
    for (const [name, count] of Object.entries(COUNTS)) {
      const calls = more(count);
      if (calls > 0) commands[name] = { calls };
    }
    return {
      // One of them was the question.
      figures: { serverCpuUs, serverCommands: more("zk_packets_received") - 1, serverBytes: await this.grown() },
      commands,
    };
  }

  /** How many bytes its nodes have more than at `begin`, by its own estimate. */
  async grown(): Promise<number> {
    const name = "zk_approximate_data_size";
    return ((await this.#monitor()).get(name) ?? Number.NaN) - (this.#before.get(name) ?? Number.NaN);
  }

  /** What lives in its heap after a collection, in MiB, and its nodes. Takes a second or more. */
  async weigh(): Promise<Figures> {
    const nodes = (await this.#monitor()).get("zk_znode_count") ?? Number.NaN;
    const { pid } = this.#server;
    if (pid === undefined) return { serverNodes: nodes };
    const { stdout } = await promisify(execFile)("jcmd", [String(pid), "GC.class_histogram"], { maxBuffer: 64 * MIB });
    return { serverNodes: nodes, serverHeapMiB: liveBytes(stdout) / MIB };
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  async #monitor(): Promise<Monitor> {
    return monitorOf(await fourLetter(this.#server.host, this.#server.port, "mntr", 30_000));
  }

  #cpuUs(): number {
    return usageOf(this.#server.pid)?.cpuUs ?? Number.NaN;
  }
}

/** The numbers that `mntr` says, by name. */
export function monitorOf(text: string): Monitor {
  const lines = text.split("\n").map((line) => line.split("\t"));
  return new Map(
    lines.flatMap(([name = "", value = ""]) =>
      value !== "" && Number.isFinite(Number(value)) ? [[name, Number(value)]] : [],
    ),
  );
}

/** The bytes of all live objects, by the last line of a histogram of classes; `NaN` when it has none. */
export function liveBytes(histogram: string): number {
  return Number(/^Total\s+\d+\s+(\d+)/m.exec(histogram)?.[1] ?? Number.NaN);
}

async function deleteAll(client: ZkConnection, path: string): Promise<void> {
  if (await client.delete(path)) return;
  const names = await client.children(path);
  await inLanes([0, names.length], DELETES, (index) => deleteAll(client, `${path}/${names[index]}`));
  await client.delete(path);
}
