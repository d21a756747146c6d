/** A Redis Cluster of programs on this machine: three masters that share all slots, with replicas if wanted. */
import { kinds } from "./kinds.ts";
import type { RedisFlavour } from "./redis.ts";
import type { RedisProgram } from "./redis-program.ts";
import { startFromProgram } from "./redis-start.ts";
import { request } from "./resp.ts";
import { startAll } from "./start-all.ts";
import { until } from "./wait.ts";

const SLOTS = 16_384;
const SETTINGS = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"];

/** What cluster a test wants. */
export interface RedisClusterOptions {
  /** Default `redis`. */
  readonly flavour?: RedisFlavour;
  /** Default 3, which is the least that can elect a new master. */
  readonly masters?: number;
  /** How many for each master. Default 0. */
  readonly replicas?: number;
  /** After so long a silent node counts as failed, in ms. Default 1000. */
  readonly nodeTimeout?: number;
  /** More arguments for each server. */
  readonly args?: readonly string[];
}

/** A cluster that belongs to the test. */
export interface RedisCluster {
  /** All of its servers, masters first. Each can be paused, stopped and restarted by itself. */
  readonly nodes: readonly RedisProgram[];
  /** Those that began as masters; the first has the lowest slots. */
  readonly masters: readonly RedisProgram[];
  /** Those that began as replicas; the first is one of the first master. */
  readonly replicas: readonly RedisProgram[];
  /** Resolves when every node that runs says that all slots are served. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Start a cluster; resolves when all its nodes say that it is ok. Rejects with Unavailable when there is no program. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { flavour = "redis", masters = 3, replicas = 0, nodeTimeout = 1_000, args = [] } = options;
  const all = [...SETTINGS, "--cluster-node-timeout", String(nodeTimeout), ...args];
  const nodes = await startAll(masters * (1 + replicas), async () => startFromProgram(kinds[flavour], all));
  const cluster = new Cluster(nodes, masters);
  try {
    await cluster.form();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

class Cluster implements RedisCluster {
  readonly nodes: readonly RedisProgram[];
  readonly masters: readonly RedisProgram[];
  readonly replicas: readonly RedisProgram[];

  constructor(nodes: readonly RedisProgram[], masters: number) {
    this.nodes = nodes;
    this.masters = nodes.slice(0, masters);
    this.replicas = nodes.slice(masters);
  }

  /** The masters share the slots, all meet, and the replicas find their masters. */
  async form(): Promise<void> {
    await Promise.all(this.nodes.map(async (node, at) => request(node, "CLUSTER", "SET-CONFIG-EPOCH", at + 1)));
    await Promise.all(this.masters.map(async (node, at) => request(node, "CLUSTER", "ADDSLOTS", ...this.#slots(at))));
    const [first, ...others] = this.nodes;
    for (const node of others) await request(node, "CLUSTER", "MEET", first!.host, first!.port);
    await this.ready();
    await Promise.all(
      this.replicas.map(async (node, at) => this.#follow(node, this.masters[at % this.masters.length]!)),
    );
  }

  async ready(): Promise<void> {
    const running = this.nodes.filter((node) => node.pid !== undefined);
    await until("the cluster is ok", async () => {
      const infos = await Promise.all(running.map(async (node) => request(node, "CLUSTER", "INFO")));
      return infos.map(String).every((info) => this.#isOk(info));
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => node.close()));
  }

  #isOk(info: string): boolean {
    return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${this.nodes.length}\r`);
  }

  #slots(at: number): readonly number[] {
    const from = Math.floor((at * SLOTS) / this.masters.length);
    const to = Math.floor(((at + 1) * SLOTS) / this.masters.length);
    return Array.from({ length: to - from }, (_, index) => from + index);
  }

  async #follow(replica: RedisProgram, master: RedisProgram): Promise<void> {
    await request(replica, "CLUSTER", "REPLICATE", String(await request(master, "CLUSTER", "MYID")));
    await until("a replica follows", async () => isFollowing(replica));
  }
}

/** True once the replica has all data of its master. */
export async function isFollowing(replica: RedisProgram): Promise<boolean> {
  return String(await request(replica, "INFO", "replication")).includes("master_link_status:up");
}
