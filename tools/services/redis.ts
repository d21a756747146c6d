/** What a test gets to see of a Redis or Valkey server, wherever it runs. */
import type { Using } from "./find.ts";
import { type Address, request } from "./resp.ts";

/** Which of the two. They speak the same protocol. */
export type RedisFlavour = "redis" | "valkey";

/** Where a server comes from. */
export type RedisUsing = Using;

/** What server a test wants. */
export interface RedisOptions {
  /** Default `redis`. */
  readonly flavour?: RedisFlavour;
  /** More arguments for the server, such as `["--maxmemory", "10mb"]`; they win over the defaults. */
  readonly args?: readonly string[];
  /** The first of these that is to be had. Default: `address`, `container`, `program`; without `address` when there are `args`. */
  readonly using?: RedisUsing | readonly RedisUsing[];
}

/**
 * One server. From a container or a program it belongs to the test: empty at first, no RDB saves, an AOF that is synced at each
 * write, on loopback only. From an address it belongs to somebody: its data may not be touched, and the faults throw.
 */
export interface RedisServer {
  readonly flavour: RedisFlavour;
  /** Such as `7.0.15`. */
  readonly version: string;
  readonly using: RedisUsing;
  /** For people: `program /usr/bin/redis-server`, `container redis:7.0`, `PQ_REDIS_URL`. */
  readonly source: string;
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Where the data are. Only of a program. */
  readonly folder?: string;
  /** The unix socket. Only of a program. */
  readonly socket?: string;
  /** Stop it as SIGSTOP does, until the returned function is called. */
  pause(): () => void;
  /** SIGKILL and start again on the same data and the same port; resolves when it answers. */
  restart(): Promise<void>;
  /** SIGKILL. The data stay. */
  stop(): Promise<void>;
  /** Start it again after `stop`; resolves when it answers. */
  start(): Promise<void>;
  /** Stop it and remove everything. */
  close(): Promise<void>;
}

/** The arguments of every server that belongs to a test. The last saves a replica from waiting five seconds for company. */
export const defaultArguments: readonly string[] = Object.entries({
  save: "",
  appendonly: "yes",
  appendfsync: "always",
  "repl-diskless-sync-delay": "0",
}).flatMap(([name, value]) => [`--${name}`, value]);

/** The line of its log that says it takes commands: all data are loaded. */
export const readyLine: RegExp = /ready to accept connections(?! at |.*unix)/i;

/** The version that it says in its log. */
export function versionIn(log: string): string {
  return /\b(?:Redis|Valkey) version=([\d.]+)/i.exec(log)?.[1] ?? "unknown";
}

/** The version that it answers. Valkey also names the version of Redis that it is compatible with. */
export async function versionOf(address: Address): Promise<string> {
  const info = String(await request(address, "INFO", "server"));
  return /^valkey_version:([\d.]+)/m.exec(info)?.[1] ?? /^redis_version:([\d.]+)/m.exec(info)?.[1] ?? "unknown";
}
