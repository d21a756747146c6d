/** What a test gets to see of a ZooKeeper server, wherever it runs, and how those of tests are configured. */
import type { Using } from "./find.ts";

/** Where a server comes from. */
export type ZkUsing = Using;

/** What a server is to be like. */
export interface ZkSettings {
  /** The most memory of its heap, in MiB. Default 256. */
  readonly heap?: number;
  /** Its unit of time, in ms; the shortest session is two of them, unless `config` says otherwise. Default 500. */
  readonly tickTime?: number;
  /** False: it acknowledges what is not on the disk yet. Default true. */
  readonly fsync?: boolean;
  /** More lines for its configuration file, such as `{ snapCount: "1000" }`; they win over the defaults. */
  readonly config?: Readonly<Record<string, string>>;
  /** More arguments for Java, such as `["-Djute.maxbuffer=4194304"]`. */
  readonly jvm?: readonly string[];
}

/** What server a test wants. */
export interface ZkOptions extends ZkSettings {
  /** The first of these that is to be had. Default: `address`, `container`, `program`; without `address` when there are settings. */
  readonly using?: ZkUsing | readonly ZkUsing[];
}

/**
 * One server. From a container or a program it belongs to the test: empty at first, synced at each write, on loopback only,
 * with sessions from 1 s to 60 s. From an address it belongs to somebody: only nodes of the test's own may be touched, and the
 * faults throw.
 */
export interface ZkServer {
  /** Such as `3.8.0`. */
  readonly version: string;
  readonly using: ZkUsing;
  /** For people: `program /usr/bin/java with /usr/share/java/zookeeper.jar`, `container zookeeper:3.9.6`, `PQ_ZK_HOSTS`. */
  readonly source: string;
  readonly host: string;
  readonly port: number;
  /** The address for clients: `127.0.0.1:2181`. From an address: what it says, which may name several, and a folder of theirs. */
  readonly hosts: string;
  /** Its process id, while it runs. Only of a program. */
  readonly pid?: number | undefined;
  /** Where the data are. Only of a program. */
  readonly folder?: string;
  /** Stop it as SIGSTOP does, until the returned function is called, or `resume`. */
  pause(): () => void;
  /** Let it go on after `pause`. */
  resume(): void;
  /** SIGKILL and start again on the same data and the same port; resolves when it answers. */
  restart(): Promise<void>;
  /** SIGKILL. The data stay. */
  kill(): Promise<void>;
  /** The same as `kill`, under the name that it has with other servers. */
  stop(): Promise<void>;
  /** Start it again after `kill`; resolves when it answers. */
  start(): Promise<void>;
  /** Stop it and remove everything. */
  close(): Promise<void>;
}

/** The class to run. With a file of settings that names several servers it is a member of their ensemble. */
export const MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/** The line of its log that says its port is taken: a server by itself has begun to serve, or a member looks for a leader. */
export const readyLine: RegExp = /PrepRequestProcessor.* started|\bLOOKING$/m;

const HEAP_MIB = 256;
const TICK_MS = 500;

/**
 * The arguments for Java. With these a start costs 0.5 s of a processor instead of 0.6 s. What measures a long run may want
 * the other compiler too: `-XX:TieredStopAtLevel=4`.
 */
export function javaArguments({ heap = HEAP_MIB, jvm = [] }: ZkSettings): readonly string[] {
  return [`-Xmx${heap}m`, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...jvm];
}

/** Where a server is to be. */
export interface ZkPlace {
  /** The address that it listens on. */
  readonly bind: string;
  readonly port: number;
  readonly folder: string;
}

/** The configuration file. Nobody but us speaks to it, so all four-letter words are allowed. */
export function configurationOf({ bind, port, folder }: ZkPlace, settings: ZkSettings): string {
  const { tickTime = TICK_MS, fsync = true, config = {} } = settings;
  const lines = {
    dataDir: folder,
    clientPort: String(port),
    clientPortAddress: bind,
    tickTime: String(tickTime),
    minSessionTimeout: String(2 * tickTime),
    maxSessionTimeout: "60000",
    maxClientCnxns: "0",
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "*",
    "autopurge.purgeInterval": "1",
    forceSync: fsync ? "yes" : "no",
    ...config,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
