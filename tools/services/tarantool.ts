/** What a test gets to see of a Tarantool server, wherever it runs. */
import type { Using } from "./find.ts";

/** Where a server comes from. */
export type TarantoolUsing = Using;

/** What `box.cfg` takes. */
export type TarantoolCfg = Readonly<Record<string, number | string | boolean | readonly string[]>>;

/** What a server is to be like. */
export interface TarantoolSettings {
  /** How a write is kept before it is acknowledged. Default `fsync`. */
  readonly walMode?: "none" | "write" | "fsync";
  /** More for `box.cfg`, such as `{ net_msg_max: 8 }`; it wins over the defaults. */
  readonly cfg?: TarantoolCfg;
  /** Lua that runs at each start, once there are the users, and before the server counts as started. */
  readonly init?: string;
}

/** What server a test wants. */
export interface TarantoolOptions extends TarantoolSettings {
  /** The first of these that is to be had. Default: `address`, `container`, `program`; without `address` when there are settings. */
  readonly using?: TarantoolUsing | readonly TarantoolUsing[];
}

/**
 * One server. From a container or a program it belongs to the test: empty at first, synced at each write, on loopback only,
 * with a user who may do everything. From an address it belongs to somebody: only spaces and functions of the test's own may be
 * touched, and the faults throw.
 */
export interface TarantoolServer {
  /** Such as `2.6.0`. */
  readonly version: string;
  readonly using: TarantoolUsing;
  /** For people: `program /usr/bin/tarantool`, `container tarantool/tarantool:3.8.0`, `PQ_TARANTOOL_URL`. */
  readonly source: string;
  readonly host: string;
  readonly port: number;
  /** The address for clients, with user and password: `tarantool://pq:pq@127.0.0.1:3301`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Its process id, while it runs. Only of a program. */
  readonly pid?: number | undefined;
  /** Where the data are. Only of a program. */
  readonly folder?: string;
  /**
   * Run Lua on the server as its admin: an expression, or statements of which the last may `return`. Resolves with the results,
   * a line for each: strings as they are, all else as JSON. Rejects with the error that Lua threw.
   */
  admin(lua: string): Promise<string>;
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

/** Who may do everything on a server that belongs to a test. */
export const USER = "pq";
/** The password of that user. */
export const PASSWORD = "pq";

/** Where clients find a server that belongs to a test. */
export function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `tarantool://${USER}:${PASSWORD}@${host}:${port}`;
}
