/** A Redis or Valkey server that somebody runs, named by its address. */
import type { Kind } from "./kinds.ts";
import { type RedisFlavour, type RedisServer, versionOf } from "./redis.ts";

const DEFAULT_PORT = 6379;

/** Speak to the server at this address. Rejects when it does not answer. */
export async function connectRedis(kind: Kind<RedisFlavour>, url: string): Promise<RedisServer> {
  const { hostname, port, protocol, username, password } = new URL(url);
  const address = {
    host: hostname,
    port: port === "" ? DEFAULT_PORT : Number(port),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
  const version = protocol === "rediss:" ? "unknown" : await versionOf(address);
  return new RedisAddress(kind, url, address, version);
}

class RedisAddress implements RedisServer {
  readonly using = "address" as const;
  readonly flavour: RedisFlavour;
  readonly version: string;
  readonly source: string;
  readonly host: string;
  readonly port: number;
  readonly url: string;

  constructor(kind: Kind<RedisFlavour>, url: string, { host, port }: { host: string; port: number }, version: string) {
    this.flavour = kind.name;
    this.version = version;
    this.source = kind.addressVariable;
    this.host = host;
    this.port = port;
    this.url = url;
  }

  pause(): () => void {
    throw this.#notOurs();
  }

  async restart(): Promise<void> {
    throw this.#notOurs();
  }

  async stop(): Promise<void> {
    throw this.#notOurs();
  }

  async start(): Promise<void> {
    throw this.#notOurs();
  }

  async close(): Promise<void> {}

  #notOurs(): Error {
    return new Error(`The server of ${this.source} is not ours to stop.`);
  }
}
