/** Addresses as texts. */
import type { Target } from "./iproto/target.ts";

/** What a url says. */
export interface ParsedUrl {
  readonly target: Target;
  readonly user: string | null;
  readonly password: string | null;
}

const DEFAULT_PORT = 3301;
/** A socket with a login: a URL that has one must have a host, too. */
const HOSTLESS = /^(tarantool\+unix:\/\/[^/]*@)(?=\/)/;
const STANDS_IN = "socket";

/** Read `tarantool://user:password@host:port` or `tarantool+unix://user:password@/path`. Throws a `TypeError` that has none of it, as there may be a password in it. */
export function parseUrl(text: unknown): ParsedUrl {
  if (typeof text !== "string") throw new TypeError("url must be a text");
  const { protocol, hostname, port, pathname, username, password } = parts(text);
  const login = { user: decoded(username), password: decoded(password) };
  if (protocol === "tarantool+unix:") {
    if (hostname !== (HOSTLESS.test(text) ? STANDS_IN : "") || pathname.length < 2) {
      throw wrong("the path of a socket must follow, as in tarantool+unix:///run/tarantool.sock");
    }
    return { target: { path: decodeURIComponent(pathname) }, ...login };
  }
  if (protocol !== "tarantool:") throw wrong("it must begin with tarantool:// or tarantool+unix://");
  if (hostname === "") throw wrong("it names no host");
  if (pathname !== "" && pathname !== "/") throw wrong("nothing may follow the port");
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { target: { host: decodeURIComponent(host), port: port === "" ? DEFAULT_PORT : Number(port) }, ...login };
}

function parts(text: string): URL {
  try {
    return new URL(text.replace(HOSTLESS, `$1${STANDS_IN}`));
  } catch {
    throw wrong("it is none");
  }
}

function decoded(part: string): string | null {
  return part === "" ? null : decodeURIComponent(part);
}

function wrong(what: string): TypeError {
  return new TypeError(`the url of a Tarantool is tarantool://user:password@host:port: ${what}`);
}
