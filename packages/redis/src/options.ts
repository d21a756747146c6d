/** What `redis()` takes, checked at once: a wrong option is an error of the program and never one of the first call. */
import type { Cluster, ClusterOptions, Redis, RedisOptions as ClientOptions } from "ioredis";
import { checkBorrowed, checkClient, checkCluster } from "./client-options.ts";
import { parseUrl } from "./url.ts";

/** Options of `redis()`. One of `url`/`options`, `cluster` or `client`; with none of them `127.0.0.1:6379`. */
export interface RedisOptions {
  /** `redis://user:password@host:port/db`, `rediss://` for TLS, `redis+unix:///path/to/socket?db=0` for a socket. Goes before the same fields of `options`. */
  readonly url?: string;
  /**
   * Options of ioredis: `host`, `port`, `path`, `tls`, `username`, `password`, `db`, `sentinels` and `name`, `connectTimeout`, … What
   * decides about retries, queues and replies is set by this package; `keyPrefix`, `readOnly`, `monitor` and `role: "slave"` are refused.
   */
  readonly options?: ClientOptions;
  /** The nodes of a Redis Cluster, some of them as `host:port` or objects, and options of ioredis for it. */
  readonly cluster?: { readonly nodes: readonly ClusterNode[]; readonly options?: ClusterOptions };
  /**
   * A client of ioredis to borrow. It is never closed. One that gives no answer within `commandTimeout` is told to connect anew.
   * Waiting needs connections of its own: those are duplicates of it, which are closed with the backend.
   */
  readonly client?: Redis | Cluster;
  /** The beginning of every key, 1 .. 64 bytes without braces. Default `"pq"`. */
  readonly prefix?: string;
  /**
   * What an accepted job survives. `"server"` (default): whatever the server's settings give, which `queue.guarantees` reports.
   * `"disk"`: each change also waits until the server has it on disk (WAITAOF: Redis 7.2 or Valkey 8, with an append-only file).
   * `"majority"`: each change also waits until the master and its replicas that have it are a majority.
   */
  readonly durability?: "server" | "disk" | "majority";
  /** How long one command may take, in ms, 50 .. 600,000. Default 5,000. */
  readonly commandTimeout?: number;
}

/** A node of a cluster. */
type ClusterNode = string | { readonly host: string; readonly port: number };

/** Where to connect to. */
export type Target =
  | { readonly kind: "single"; readonly options: ClientOptions }
  | {
      readonly kind: "cluster";
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
      readonly options: ClusterOptions;
    }
  | { readonly kind: "borrowed"; readonly client: Redis }
  | { readonly kind: "borrowed-cluster"; readonly client: Cluster };

/** Options with everything filled in. */
export interface ResolvedOptions {
  readonly target: Target;
  /** For messages: where the server is, without secrets. */
  readonly address: string;
  readonly prefix: string;
  readonly durability: "server" | "disk" | "majority";
  readonly commandTimeout: number;
}

/** The names that there are: the compiler sees to it that none is missing. */
const NAMES: Readonly<Record<keyof RedisOptions, true>> = {
  url: true,
  options: true,
  cluster: true,
  client: true,
  prefix: true,
  durability: true,
  commandTimeout: true,
};

/** Check the options and fill in the defaults. A string is a `url`. Throws `TypeError` and `RangeError`. */
export function resolveOptions(options: string | RedisOptions = {}): ResolvedOptions {
  const given: RedisOptions = typeof options === "string" ? { url: options } : options;
  checkNames(given);
  const target = targetOf(given);
  return {
    target,
    address: addressOf(target),
    prefix: prefixOf(given.prefix ?? "pq"),
    durability: durabilityOf(given.durability ?? "server"),
    commandTimeout: timeoutOf(given.commandTimeout ?? 5000),
  };
}

function checkNames(given: RedisOptions): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError("redis() needs an object of options, or a url");
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(NAMES, name));
  if (unknown === undefined) return;
  throw new TypeError(
    `redis() has no option "${unknown}"; there are ${Object.keys(NAMES).join(", ")}. Those of ioredis go into "options".`,
  );
}

function targetOf({ url, options, cluster, client }: RedisOptions): Target {
  const ways = [url !== undefined || options !== undefined, cluster !== undefined, client !== undefined];
  if (ways.filter(Boolean).length > 1) {
    throw new TypeError("redis() needs one of url (with options), cluster and client, not several");
  }
  if (client !== undefined) {
    checkBorrowed(client);
    return client.isCluster
      ? { kind: "borrowed-cluster", client: client as Cluster }
      : { kind: "borrowed", client: client as Redis };
  }
  if (cluster !== undefined) {
    return { kind: "cluster", nodes: nodesOf(cluster), options: checkCluster(cluster.options ?? {}) };
  }
  const named = url === undefined ? {} : parseUrl(url);
  // The url says that there is TLS, the options which.
  const tls = named.tls === undefined ? {} : { tls: { ...options?.tls } };
  const merged = { host: "127.0.0.1", port: 6379, ...options, ...named, ...tls };
  return { kind: "single", options: checkClient(merged) };
}

function nodesOf(cluster: { readonly nodes: readonly ClusterNode[] }): { host: string; port: number }[] {
  const nodes: unknown = cluster.nodes;
  if (!Array.isArray(nodes) || nodes.length === 0) throw new TypeError("cluster.nodes must name at least one node");
  return cluster.nodes.map((node) => {
    const { host, port } = typeof node === "string" ? hostAndPort(node) : node;
    if (typeof host === "string" && host !== "" && Number.isInteger(port) && port > 0 && port < 65_536) {
      return { host, port };
    }
    throw new TypeError('each of cluster.nodes must be "host:port" or { host, port }');
  });
}

function hostAndPort(text: string): { host: string; port: number } {
  const [, host = "", port = "6379"] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(text) ?? [];
  return { host, port: Number(port) };
}

function addressOf(target: Target): string {
  switch (target.kind) {
    case "single":
      return singleAddress(target.options);
    case "borrowed":
      return singleAddress(target.client.options);
    case "cluster":
      return `the cluster of ${target.nodes.map(({ host, port }) => `${host}:${port}`).join(", ")}`;
    case "borrowed-cluster":
      return "the cluster of the borrowed client";
  }
}

function singleAddress({ sentinels, name, path, host, port }: ClientOptions): string {
  if (sentinels !== undefined && sentinels !== null) {
    const places = sentinels.map((each) => `${each.host ?? "127.0.0.1"}:${each.port ?? 26_379}`);
    return `master "${name ?? ""}" of the sentinels ${places.join(", ")}`;
  }
  return typeof path === "string" ? path : `${host ?? "127.0.0.1"}:${port ?? 6379}`;
}

function prefixOf(prefix: unknown): string {
  if (typeof prefix !== "string") throw new TypeError("prefix must be a string");
  if (prefix === "" || Buffer.byteLength(prefix) > 64) throw new RangeError("prefix must have 1 to 64 bytes");
  // Braces would become the hash tag, by which a cluster finds the keys of a queue.
  if (/[{}]/.test(prefix)) throw new RangeError("prefix must not have braces");
  return prefix;
}

function durabilityOf(durability: unknown): "server" | "disk" | "majority" {
  if (durability === "server" || durability === "disk" || durability === "majority") return durability;
  throw new TypeError('durability must be "server", "disk" or "majority"');
}

function timeoutOf(ms: unknown): number {
  if (typeof ms !== "number") throw new TypeError("commandTimeout must be a number of milliseconds");
  if (Number.isInteger(ms) && ms >= 50 && ms <= 600_000) return ms;
  throw new RangeError("commandTimeout must be a whole number of milliseconds from 50 to 600,000");
}
