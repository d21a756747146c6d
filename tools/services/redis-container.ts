/** A Redis or Valkey server in a container. */
import { type Container, startContainer } from "./container.ts";
import type { Kind } from "./kinds.ts";
import { onFreePort } from "./ports.ts";
import { defaultArguments, readyLine, type RedisFlavour, type RedisServer, versionOf } from "./redis.ts";
import { request } from "./resp.ts";
import { until } from "./wait.ts";

const INNER_PORT = 6379;

/** Start a container of this kind. Rejects with Unavailable when there is no engine or no image. */
export async function startRedisContainer(
  kind: Kind<RedisFlavour>,
  args: readonly string[] = [],
): Promise<RedisServer> {
  const command = [kind.program, ...defaultArguments, "--dir", "/tmp", "--protected-mode", "no", ...args];
  return onFreePort(async (port) => {
    const ports = { inner: INNER_PORT, outer: port };
    const container = await startContainer(kind, { command, ready: readyLine, ports });
    const version = await versionOf({ host: container.host, port });
    return new RedisContainer(kind.name, version, container, port);
  });
}

class RedisContainer implements RedisServer {
  readonly using = "container" as const;
  readonly flavour: RedisFlavour;
  readonly version: string;
  readonly port: number;
  readonly #container: Container;

  constructor(flavour: RedisFlavour, version: string, container: Container, port: number) {
    this.flavour = flavour;
    this.version = version;
    this.port = port;
    this.#container = container;
  }

  get source(): string {
    return `container ${this.#container.image}`;
  }

  get host(): string {
    return this.#container.host;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  pause(): () => void {
    return this.#container.pause();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#container.kill();
  }

  async start(): Promise<void> {
    await this.#container.start();
    await until(`${this.url} answers`, async () => (await request(this, "PING")) === "PONG");
  }

  async close(): Promise<void> {
    await this.#container.remove();
  }
}
