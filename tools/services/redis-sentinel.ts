/** A master with replicas, watched by sentinels that promote a replica when the master dies. Programs on this machine. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { programOf } from "./find.ts";
import { type Kind, kinds } from "./kinds.ts";
import { type TemporaryFolder, temporaryFolder } from "./leftovers.ts";
import { onFreePort } from "./ports.ts";
import { Program } from "./program.ts";
import type { RedisFlavour } from "./redis.ts";
import { isFollowing } from "./redis-cluster.ts";
import type { RedisProgram } from "./redis-program.ts";
import { startFromProgram } from "./redis-start.ts";
import { type Address, request } from "./resp.ts";
import { startAll } from "./start-all.ts";
import { until } from "./wait.ts";

const HOST = "127.0.0.1";
const QUORUM = 2;
/**
 * They look at each other often, where the default is up to ten seconds. Redis 7 and later; older ones are slow. While the
 * master is down a replica is asked once a second, and what it said is believed for five ping periods.
 */
const OFTEN = ["info-period", 100, "publish-period", 100, "ping-period", 400, "ask-period", 100];

/** What sentinels a test wants. */
export interface SentinelOptions {
  /** Default `redis`. */
  readonly flavour?: RedisFlavour;
  /** The name of the master. Default `pq`. */
  readonly name?: string;
  /** Default 2. */
  readonly replicas?: number;
  /** Default 3. Two of them must agree. */
  readonly sentinels?: number;
  /** After so long a silent master counts as dead, in ms. Default 500. */
  readonly downAfter?: number;
  /** More arguments for the master and its replicas. */
  readonly args?: readonly string[];
}

/** A watched master that belongs to the test. */
export interface Sentinels {
  /** What clients ask the sentinels for. */
  readonly name: string;
  /** Where the sentinels are. */
  readonly sentinels: readonly Address[];
  /** The server that is the master now. */
  readonly master: RedisProgram;
  /** The other servers. One that was the master before the failover does not run until it is started, and then follows. */
  readonly replicas: readonly RedisProgram[];
  /** SIGKILL the master, once the sentinels know who can take over; resolves with the new one when all sentinels name it and it takes writes. */
  failover(): Promise<RedisProgram>;
  close(): Promise<void>;
}

/** Start them; resolves when the sentinels know each other and the replicas. Rejects with Unavailable when there is no program. */
export async function startSentinels(options: SentinelOptions = {}): Promise<Sentinels> {
  const kind = kinds[options.flavour ?? "redis"];
  const { args = [], replicas = 2, sentinels = 3, name = "pq", downAfter = 500 } = options;
  const master = await startFromProgram(kind, args);
  const watched = new Watched(name, master);
  try {
    const follow = [...args, "--replicaof", `${HOST} ${master.port}`];
    watched.add(await startAll(replicas, async () => startFromProgram(kind, follow)));
    await Promise.all(Array.from({ length: sentinels }, async () => watched.watch(kind, downAfter)));
    await watched.ready();
  } catch (error) {
    await watched.close();
    throw error;
  }
  return watched;
}

class Watched implements Sentinels {
  readonly name: string;
  readonly #servers: RedisProgram[];
  readonly #sentinels: Sentinel[] = [];
  #master: RedisProgram;

  constructor(name: string, master: RedisProgram) {
    this.name = name;
    this.#master = master;
    this.#servers = [master];
  }

  get master(): RedisProgram {
    return this.#master;
  }

  get replicas(): readonly RedisProgram[] {
    return this.#servers.filter((server) => server !== this.#master);
  }

  get sentinels(): readonly Address[] {
    return this.#sentinels.map(({ host, port }) => ({ host, port }));
  }

  add(replicas: readonly RedisProgram[]): void {
    this.#servers.push(...replicas);
  }

  /** Start one more sentinel. */
  async watch(kind: Kind, downAfter: number): Promise<void> {
    const folder = await temporaryFolder("sentinel");
    const command = await programOf(kind);
    const lines = [`monitor ${this.name} ${HOST} ${this.#master.port} ${QUORUM}`];
    lines.push(`down-after-milliseconds ${this.name} ${downAfter}`, `failover-timeout ${this.name} ${downAfter * 4}`);
    const start = async (port: number): Promise<Sentinel> => Sentinel.start(command, folder, port, lines);
    this.#sentinels.push(await onFreePort(start));
  }

  async ready(): Promise<void> {
    for (const replica of this.replicas) await until("a replica follows", async () => isFollowing(replica));
    await until("the sentinels know each other", async () => {
      const views = await this.#views();
      return views.every(
        (view) => view.replicas === this.replicas.length && view.sentinels === this.#sentinels.length - 1,
      );
    });
  }

  async failover(): Promise<RedisProgram> {
    await this.#heirsKnown();
    const old = this.#master;
    await old.stop();
    await until("the sentinels agree on a new master", async () => {
      const views = await this.#views();
      const named = this.#servers.find((server) => server !== old && views.every(({ port }) => port === server.port));
      // While a failover is under way a sentinel names the new master already, and would get stuck if that one died too.
      const settled = views.every(({ flags }) => flags === "master");
      if (named === undefined || !settled || !(await isMaster(named))) return false;
      this.#master = named;
      return true;
    });
    return this.#master;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sentinels, ...this.#servers].map(async (server) => server.close()));
  }

  /** A sentinel that has just learnt of a replica would find none good enough, and give up for a while. */
  async #heirsKnown(): Promise<void> {
    const running = this.replicas.filter((server) => server.pid !== undefined).map(({ port }) => port);
    await until("all sentinels know the replicas that run", async () => {
      const known = await Promise.all(this.#sentinels.map(async (sentinel) => sentinel.goodReplicas(this.name)));
      return running.length > 0 && known.every((ports) => running.every((port) => ports.includes(port)));
    });
  }

  async #views(): Promise<readonly View[]> {
    return Promise.all(this.#sentinels.map(async (sentinel) => sentinel.view(this.name)));
  }
}

/** How a sentinel sees the master. */
interface View {
  readonly port: number;
  /** Just `master` when all is well. */
  readonly flags: string;
  readonly replicas: number;
  /** Besides itself. */
  readonly sentinels: number;
}

/** One sentinel. It writes what it learns into its configuration file. */
class Sentinel implements Address {
  readonly host: string = HOST;
  readonly port: number;
  readonly #program: Program;
  readonly #folder: TemporaryFolder;

  private constructor(command: string, folder: TemporaryFolder, port: number) {
    this.port = port;
    this.#folder = folder;
    this.#program = new Program({ command, args: [fileIn(folder), "--sentinel"], ready: /Sentinel ID is/ });
  }

  static async start(
    command: string,
    folder: TemporaryFolder,
    port: number,
    lines: readonly string[],
  ): Promise<Sentinel> {
    const common = [`port ${port}`, `bind ${HOST}`, `dir ${folder.path}`];
    await writeFile(fileIn(folder), [...common, ...lines.map((line) => `sentinel ${line}`), ""].join("\n"));
    const sentinel = new Sentinel(command, folder, port);
    await sentinel.#program.start();
    await request(sentinel, "SENTINEL", "DEBUG", ...OFTEN).catch(() => "older than 7");
    return sentinel;
  }

  /** What it knows of the master with this name. */
  async view(name: string): Promise<View> {
    const reply = (await request(this, "SENTINEL", "MASTER", name)) as readonly string[];
    const value = (key: string): string => reply[reply.indexOf(key) + 1] ?? "";
    return {
      port: Number(value("port")),
      flags: value("flags"),
      replicas: Number(value("num-slaves")),
      sentinels: Number(value("num-other-sentinels")),
    };
  }

  /** The ports of the replicas that could take over. */
  async goodReplicas(name: string): Promise<readonly number[]> {
    const reply = (await request(this, "SENTINEL", "REPLICAS", name)) as readonly (readonly string[])[];
    const replicas = reply.map((fields) => (key: string) => fields[fields.indexOf(key) + 1]);
    const good = replicas.filter((value) => value("flags") === "slave" && value("master-link-status") === "ok");
    return good.map((value) => Number(value("port")));
  }

  async close(): Promise<void> {
    await this.#program.kill();
    await this.#folder.remove();
  }
}

function fileIn(folder: TemporaryFolder): string {
  return join(folder.path, "sentinel.conf");
}

async function isMaster(server: RedisProgram): Promise<boolean> {
  return String(await request(server, "INFO", "replication")).includes("role:master");
}
