/** What `tarantool()` takes, checked at once: a wrong option is an error of the program and never one of the first call. */
import type { Duplex } from "node:stream";
import { opener, type Target } from "./iproto/target.ts";
import { parseUrl } from "./url.ts";

/** Options of `tarantool()`. With neither `url`, `host` nor `connect`: `127.0.0.1:3301`. */
export interface TarantoolOptions {
  /**
   * `tarantool://user:password@host:port`, `tarantool+unix://user:password@/path/to/socket`. Several of them are the members of one replica set:
   * the one that takes writes is used, and looked for again after a failover. The first one's user and password serve for all that name none.
   */
  readonly url?: string | readonly string[];
  readonly host?: string;
  /** Default 3301. */
  readonly port?: number;
  /** Default: that of the url, else `guest`. */
  readonly user?: string;
  readonly password?: string;
  /** Makes each connection, in place of an address: TLS, a tunnel. Called again whenever a new one is needed. */
  readonly connect?: () => Duplex;
  /** The beginning of the name of each space, and the name of the function that is called: letters, digits and `_`, up to 32. Default `"pq"`. */
  readonly prefix?: string;
  /** Install or update the stored scripts when opening, if the user may. Default true. `false`: an admin does, see the README. */
  readonly installScripts?: boolean;
  /**
   * What an accepted job survives. `"server"` (default): what the server's settings give, which `queue.guarantees` reports. `"majority"`: the
   * spaces are made synchronous, so that each change waits for `replication_synchro_quorum` instances.
   */
  readonly durability?: "server" | "majority";
  /** How long a process may be without any connection before its leases come back, in ms, 0 .. 600,000. Default 1,000. */
  readonly leaseGrace?: number;
  /** How long one command may take, in ms, 50 .. 600,000. Default 5,000. */
  readonly commandTimeout?: number;
}

/** One way to connect. */
export interface Route {
  /** For messages: without secrets. */
  readonly address: string;
  readonly open: () => Duplex;
  readonly user: string | null;
  readonly password: string | null;
}

/** Options with everything filled in. */
export interface ResolvedOptions {
  readonly routes: readonly Route[];
  /** For messages: where the servers are, without secrets. */
  readonly address: string;
  readonly prefix: string;
  readonly installScripts: boolean;
  readonly durability: "server" | "majority";
  readonly leaseGrace: number;
  readonly commandTimeout: number;
}

/** The names that there are: the compiler sees to it that none is missing. */
const NAMES: Readonly<Record<keyof TarantoolOptions, true>> = {
  url: true,
  host: true,
  port: true,
  user: true,
  password: true,
  connect: true,
  prefix: true,
  installScripts: true,
  durability: true,
  leaseGrace: true,
  commandTimeout: true,
};

const LONGEST_TIME = 600_000;

/** Check the options and fill in the defaults. A string is a `url`. Throws `TypeError` and `RangeError`. */
export function resolveOptions(options: string | TarantoolOptions = {}): ResolvedOptions {
  const given: TarantoolOptions = typeof options === "string" ? { url: options } : options;
  checkNames(given);
  const routes = routesOf(given);
  return {
    routes,
    address: routes.map(({ address }) => address).join(", "),
    prefix: prefixOf(given.prefix ?? "pq"),
    installScripts: flag("installScripts", given.installScripts ?? true),
    durability: durabilityOf(given.durability ?? "server"),
    leaseGrace: milliseconds("leaseGrace", given.leaseGrace ?? 1000, 0),
    commandTimeout: milliseconds("commandTimeout", given.commandTimeout ?? 5000, 50),
  };
}

function checkNames(given: TarantoolOptions): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError("tarantool() needs an object of options, or a url");
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(NAMES, name));
  if (unknown === undefined) return;
  throw new TypeError(`tarantool() has no option "${unknown}"; there are ${Object.keys(NAMES).join(", ")}`);
}

function routesOf(given: TarantoolOptions): readonly Route[] {
  const { url, host, port, connect } = given;
  const ways = [url !== undefined, host !== undefined || port !== undefined, connect !== undefined];
  if (ways.filter(Boolean).length > 1) {
    throw new TypeError("tarantool() needs one of url, host and connect, not several");
  }
  const user = text("user", given.user);
  const password = text("password", given.password);
  if (connect !== undefined) {
    if (typeof connect !== "function") throw new TypeError("connect must be a function that makes a connection");
    return [{ address: "the connection of the option connect", open: connect, user, password }];
  }
  if (url === undefined) {
    return [route({ host: text("host", host) ?? "127.0.0.1", port: portOf(port ?? 3301) }, user, password)];
  }
  const urls = typeof url === "string" ? [url] : url;
  if (!Array.isArray(urls) || urls.length === 0) throw new TypeError("url must be a text, or a list of at least one");
  const parsed = urls.map((each) => parseUrl(each));
  return parsed.map((each) => {
    return route(each.target, user ?? each.user ?? parsed[0]!.user, password ?? each.password ?? parsed[0]!.password);
  });
}

function route(target: Target, user: string | null, password: string | null): Route {
  const address = "path" in target ? target.path : `${target.host}:${target.port}`;
  return { address, open: opener(target), user, password };
}

function text(name: string, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value !== "string" || value === "") throw new TypeError(`${name} must be a text`);
  return value;
}

function portOf(port: unknown): number {
  if (typeof port !== "number") throw new TypeError("port must be a number");
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new RangeError("port must be from 1 to 65,535");
}

function prefixOf(prefix: unknown): string {
  if (typeof prefix !== "string") throw new TypeError("prefix must be a text");
  // It becomes part of names in Lua.
  if (/^[A-Za-z_]\w{0,31}$/.test(prefix)) return prefix;
  throw new RangeError("prefix must be letters, digits and _, no digit first, 32 at most");
}

function flag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`${name} must be true or false`);
}

function durabilityOf(durability: unknown): "server" | "majority" {
  if (durability === "server" || durability === "majority") return durability;
  throw new TypeError('durability must be "server" or "majority"');
}

function milliseconds(name: string, ms: unknown, least: number): number {
  if (typeof ms !== "number") throw new TypeError(`${name} must be a number of milliseconds`);
  if (Number.isInteger(ms) && ms >= least && ms <= LONGEST_TIME) return ms;
  throw new RangeError(`${name} must be a whole number of milliseconds from ${least} to 600,000`);
}
