/** Addresses as text. */
import type { RedisOptions as ClientOptions } from "ioredis";

const SCHEMES: ReadonlySet<string> = new Set(["redis:", "rediss:", "redis+unix:", "unix:"]);

/** What is meant. The text itself is in no message: it may hold a password. */
const FORMS = "redis://[user:password@]host[:port][/db], rediss://… for TLS, or redis+unix:///path[?db=n]";

/** The options of ioredis that an address stands for. Throws a `TypeError` that does not repeat the address. */
export function parseUrl(text: unknown): ClientOptions {
  if (typeof text !== "string") throw new TypeError(`url must be a string: ${FORMS}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !SCHEMES.has(url.protocol)) throw new TypeError(`url is no address of a Redis: ${FORMS}`);
  const place = url.protocol.endsWith("unix:") ? socketOf(url) : hostOf(url);
  return { ...place, ...loginOf(url) };
}

function hostOf(url: URL): ClientOptions {
  if (url.search !== "") throw new TypeError("url must not have a query: give what it says in options");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    ...(host === "" ? {} : { host }),
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...dbOf(url.pathname.replace(/^\//, "")),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

function socketOf(url: URL): ClientOptions {
  const unknown = [...url.searchParams.keys()].find((name) => name !== "db");
  if (unknown !== undefined || url.hostname !== "" || url.pathname.length < 2) {
    throw new TypeError(`url is no address of a socket: ${FORMS}`);
  }
  return { path: decodeURIComponent(url.pathname), ...dbOf(url.searchParams.get("db") ?? "") };
}

function dbOf(text: string): { db?: number } {
  if (text === "") return {};
  if (!/^\d{1,6}$/.test(text)) throw new TypeError(`the database in url must be a number: ${FORMS}`);
  return { db: Number(text) };
}

function loginOf({ username, password }: URL): { username?: string; password?: string } {
  return {
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
  };
}
