/** What `mongo()` takes, checked at once: a wrong option is an error of the program and never one of the first call. */
import { MongoClient, type MongoClientOptions } from "mongodb";
import { defaultsFor, FORCED } from "./client-options.ts";

/** Options of `mongo()`. One of `url` and `client`; with neither `mongodb://127.0.0.1:27017`. */
export interface MongoOptions {
  /** `mongodb://user:password@host:port,…/db?options`, or `mongodb+srv://…`. TLS, the login and the replica set's name are among its options. */
  readonly url?: string;
  /**
   * Options of the driver for the client that is made: `tls`, `auth`, `maxPoolSize`, … They go before those in the url. `retryWrites` and
   * `retryReads` are always off, since calls are repeated by their own ids; the times that are not given follow from `commandTimeout`.
   */
  readonly options?: MongoClientOptions;
  /** A client of the driver to borrow. It is never closed. Its read preference and its concerns do not matter: each call brings its own. */
  readonly client?: MongoClient;
  /** The database. Default: the one in the url, else `"pq"`. */
  readonly db?: string;
  /** The beginning of the names of all collections (`pq.pages`, `pq.heads`, …), 1 .. 64 bytes. Default `"pq"`. */
  readonly collection?: string;
  /** How long one call may take, in ms, 50 .. 600,000. Default 5,000. */
  readonly commandTimeout?: number;
}

/** Where to connect to. */
type Target =
  | { readonly kind: "own"; readonly url: string; readonly options: MongoClientOptions }
  | { readonly kind: "borrowed"; readonly client: MongoClient };

/** Options with everything filled in. */
export interface ResolvedOptions {
  readonly target: Target;
  /** For messages: where the server is, without secrets. */
  readonly address: string;
  readonly db: string;
  readonly collection: string;
  readonly commandTimeout: number;
}

/** The names that there are: the compiler sees to it that none is missing. */
const NAMES: Readonly<Record<keyof MongoOptions, true>> = {
  url: true,
  options: true,
  client: true,
  db: true,
  collection: true,
  commandTimeout: true,
};

const DEFAULT_URL = "mongodb://127.0.0.1:27017";

/** What is meant. The text itself is in no message: it may hold a password. */
const FORMS = "mongodb://[user:password@]host[:port][,…][/db][?options], or mongodb+srv://…";

/** Check the options and fill in the defaults. A string is a `url`. Throws `TypeError` and `RangeError`. */
export function resolveOptions(options: string | MongoOptions = {}): ResolvedOptions {
  const given: MongoOptions = typeof options === "string" ? { url: options } : options;
  checkNames(given);
  const commandTimeout = timeoutOf(given.commandTimeout ?? 5000);
  const { target, client, named } = targetOf(given, commandTimeout);
  return {
    target,
    address: addressOf(client),
    db: dbOf(given.db ?? named ?? "pq"),
    collection: collectionOf(given.collection ?? "pq"),
    commandTimeout,
  };
}

function checkNames(given: MongoOptions): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError("mongo() needs an object of options, or a url");
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(NAMES, name));
  if (unknown === undefined) return;
  throw new TypeError(
    `mongo() has no option "${unknown}"; there are ${Object.keys(NAMES).join(", ")}. Those of the driver go into "options".`,
  );
}

/** The target, a client of it that shows its settings (making one does nothing else), and the database that the url names. */
interface Found {
  readonly target: Target;
  readonly client: MongoClient;
  readonly named: string | undefined;
}

function targetOf({ url, options, client }: MongoOptions, commandTimeout: number): Found {
  if (client !== undefined) {
    if (url !== undefined || options !== undefined) {
      throw new TypeError("mongo() needs one of url (with options) and client, not both");
    }
    checkBorrowed(client);
    return { target: { kind: "borrowed", client }, client, named: undefined };
  }
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw new TypeError("options must be an object");
  }
  const place = url ?? DEFAULT_URL;
  checkUrl(place);
  const merged = { ...unnamed(defaultsFor(commandTimeout), place), ...options, ...FORCED };
  return {
    target: { kind: "own", url: place, options: merged },
    client: clientOf(place, merged),
    named: nameIn(place),
  };
}

function checkUrl(url: unknown): void {
  if (typeof url !== "string") throw new TypeError(`url must be a string: ${FORMS}`);
  const made = tryClient(url);
  if (made instanceof MongoClient) return;
  const why = url.includes("@") ? "" : ` (${made.message})`;
  throw new TypeError(`url is no address of a MongoDB${why}: ${FORMS}`);
}

function clientOf(url: string, options: MongoClientOptions): MongoClient {
  const made = tryClient(url, options);
  if (made instanceof MongoClient) return made;
  throw new TypeError(`options: ${made.message}`);
}

/** A client, which does nothing before it is used, or why the driver refuses to make it. */
function tryClient(url: string, options: MongoClientOptions = {}): MongoClient | Error {
  try {
    return new MongoClient(url, options);
  } catch (error) {
    return error instanceof Error ? error : new Error("the driver refuses them");
  }
}

/** The defaults that the url does not give. */
function unnamed(defaults: MongoClientOptions, url: string): MongoClientOptions {
  const query = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  const named = new Set([...query.keys()].map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !named.has(name.toLowerCase())));
}

function nameIn(url: string): string | undefined {
  const [, name] = /^[^/]*:\/\/[^/?]*\/([^?]+)/.exec(url) ?? [];
  return name === undefined ? undefined : decodeURIComponent(name);
}

function checkBorrowed(client: unknown): void {
  const good =
    typeof client === "object" && client !== null && "db" in client && "options" in client && "connect" in client;
  if (!good) throw new TypeError("client must be a MongoClient of the driver");
}

function addressOf({ options: { srvHost, hosts, replicaSet } }: MongoClient): string {
  const place = srvHost ?? hosts.map(String).join(", ");
  return typeof replicaSet === "string" ? `replica set "${replicaSet}" of ${place}` : place;
}

function dbOf(name: unknown): string {
  if (typeof name !== "string") throw new TypeError("db must be a string");
  if (name === "" || Buffer.byteLength(name) > 63) throw new RangeError("db must have 1 to 63 bytes");
  if (/[/\\. "$*<>:|?\0]/.test(name)) throw new RangeError('db must have none of /\\. "$*<>:|? and NUL');
  return name;
}

function collectionOf(prefix: unknown): string {
  if (typeof prefix !== "string") throw new TypeError("collection must be a string");
  if (prefix === "" || Buffer.byteLength(prefix) > 64) throw new RangeError("collection must have 1 to 64 bytes");
  if (/[$\0]|\.\.|^\.|\.$|^system(\.|$)/.test(prefix)) {
    throw new RangeError('collection must not have $, NUL or empty parts, nor begin with "system."');
  }
  return prefix;
}

function timeoutOf(ms: unknown): number {
  if (typeof ms !== "number") throw new TypeError("commandTimeout must be a number of milliseconds");
  if (Number.isInteger(ms) && ms >= 50 && ms <= 600_000) return ms;
  throw new RangeError("commandTimeout must be a whole number of milliseconds from 50 to 600,000");
}
