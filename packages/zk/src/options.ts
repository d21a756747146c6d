/** What `zk()` takes, checked at once: a wrong option is an error of the program and never one of the first call. */
import type { NativeClient } from "./native.ts";

/** Options of `zk()`. One of `hosts` and `client`; with neither `127.0.0.1:2181`. */
export interface ZkOptions {
  /** The servers of the ensemble, `host:port,host:port,…`, with a chroot at the end if there is one: `10.0.0.1:2181,10.0.0.2:2181/app`. */
  readonly hosts?: string;
  /** A client of the package `zookeeper` to borrow, connected or about to be. It is never closed. When its session ends, so does its use. */
  readonly client?: object;
  /** The node under which everything is kept. Default `/pq`. */
  readonly root?: string;
  /** Log in by digest. All nodes are then for this user alone. Not with `client`. */
  readonly auth?: { readonly user: string; readonly password: string };
  /**
   * How long the session of a process that died lasts on, in ms: for so long its jobs wait, unless their leases are shorter. 1,000 .. 600,000, within
   * what the server allows (2 to 20 ticks). Default 10,000. Not with `client`.
   */
  readonly sessionTimeout?: number;
  /** How long one command of ZooKeeper may take, in ms, 50 .. 600,000. Default 5,000. */
  readonly commandTimeout?: number;
}

/** Options with everything filled in. */
export interface ResolvedOptions {
  readonly target:
    | { readonly kind: "own"; readonly hosts: string; readonly sessionTimeout: number }
    | { readonly kind: "borrowed"; readonly client: NativeClient };
  /** For messages: where the servers are. */
  readonly address: string;
  readonly root: string;
  /** `user:password`. */
  readonly credentials: string | null;
  readonly commandTimeout: number;
}

/** The names that there are: the compiler sees to it that none is missing. */
const NAMES: Readonly<Record<keyof ZkOptions, true>> = {
  hosts: true,
  client: true,
  root: true,
  auth: true,
  sessionTimeout: true,
  commandTimeout: true,
};

const DEFAULT_HOSTS = "127.0.0.1:2181";
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/;

/** Check the options and fill in the defaults. A string is `hosts`. Throws `TypeError` and `RangeError`. */
export function resolveOptions(options: string | ZkOptions = {}): ResolvedOptions {
  const given: ZkOptions = typeof options === "string" ? { hosts: options } : options;
  checkNames(given);
  const commandTimeout = wholeNumber("commandTimeout", given.commandTimeout ?? 5000, 50);
  const target = targetOf(given);
  return {
    target,
    address: target.kind === "own" ? target.hosts : "the borrowed client",
    root: rootOf(given.root ?? "/pq"),
    credentials: credentialsOf(given.auth),
    commandTimeout,
  };
}

function checkNames(given: ZkOptions): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError("zk() needs an object of options, or the hosts");
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(NAMES, name));
  if (unknown === undefined) return;
  throw new TypeError(`zk() has no option "${unknown}"; there are ${Object.keys(NAMES).join(", ")}`);
}

function targetOf({ hosts, client, auth, sessionTimeout }: ZkOptions): ResolvedOptions["target"] {
  if (client === undefined) {
    const servers = hosts ?? DEFAULT_HOSTS;
    checkHosts(servers);
    return {
      kind: "own",
      hosts: servers,
      sessionTimeout: wholeNumber("sessionTimeout", sessionTimeout ?? 10_000, 1000),
    };
  }
  if (hosts !== undefined) throw new TypeError("zk() needs one of hosts and client, not both");
  if (auth !== undefined || sessionTimeout !== undefined) {
    throw new TypeError("auth and sessionTimeout are the business of whoever made the client");
  }
  if (!isNativeClient(client)) throw new TypeError("client must be a client of the package zookeeper");
  return { kind: "borrowed", client };
}

function checkHosts(hosts: unknown): void {
  if (typeof hosts !== "string") throw new TypeError("hosts must be a string: host:port,host:port/chroot");
  const slash = hosts.indexOf("/");
  const servers = (slash < 0 ? hosts : hosts.slice(0, slash)).split(",");
  if (!servers.every((server) => HOST.test(server))) {
    throw new TypeError("hosts must be host:port, more of them after commas, and a chroot at the end if there is one");
  }
  if (slash >= 0) checkPath("the chroot of hosts", hosts.slice(slash));
}

function rootOf(root: unknown): string {
  if (typeof root !== "string") throw new TypeError("root must be a string");
  checkPath("root", root);
  return root;
}

/** Only plain names: what else ZooKeeper allows is of no use here, and this is the one path that users write. */
function checkPath(name: string, path: string): void {
  const parts = path.split("/").slice(1);
  const good = path.startsWith("/") && parts.every((part) => /^[A-Za-z0-9._-]+$/.test(part) && !/^\.\.?$/.test(part));
  if (!good) throw new RangeError(`${name} must be a path like /pq, of letters, digits, dots, - and _`);
  if (parts[0] === "zookeeper") throw new RangeError(`${name} must not be in /zookeeper, which is the server's own`);
  if (path.length > 200) throw new RangeError(`${name} must have at most 200 characters`);
}

function credentialsOf(auth: unknown): string | null {
  if (auth === undefined) return null;
  const given = typeof auth === "object" && auth !== null ? auth : {};
  const user = "user" in given ? given.user : undefined;
  const password = "password" in given ? given.password : undefined;
  if (typeof user !== "string" || typeof password !== "string") {
    throw new TypeError("auth must be { user, password }, both strings");
  }
  if (user === "" || user.includes(":")) throw new RangeError("auth.user must not be empty, nor have a colon");
  return `${user}:${password}`;
}

function isNativeClient(client: unknown): client is NativeClient {
  return typeof client === "object" && client !== null && "native" in client && "a_create" in client;
}

function wholeNumber(name: string, ms: unknown, least: number): number {
  if (typeof ms !== "number") throw new TypeError(`${name} must be a number of milliseconds`);
  if (Number.isInteger(ms) && ms >= least && ms <= 600_000) return ms;
  throw new RangeError(`${name} must be a whole number of milliseconds from ${least.toLocaleString("en")} to 600,000`);
}
