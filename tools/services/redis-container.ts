/** A Redis or Valkey server in a container. */
import { spawnSync } from "node:child_process";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import { type Engine, engine } from "./engine.ts";
import { image } from "./images.ts";
import type { Kind } from "./kinds.ts";
import { onFreePort } from "./ports.ts";
import { defaultArguments, readyLine, type RedisFlavour, type RedisServer, versionOf } from "./redis.ts";
import { type Address, request } from "./resp.ts";
import { until } from "./wait.ts";

const INNER_PORT = 6379;

/** Start a container of this kind. Rejects with Unavailable when there is no engine or no image. */
export async function startRedisContainer(
  kind: Kind<RedisFlavour>,
  args: readonly string[] = [],
): Promise<RedisServer> {
  const docker = await engine();
  const { name, local } = await image(kind, docker.client);
  // Where no image can be pulled, the library's own (it tidies up) cannot either.
  if (local) process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
  const command = [kind.program, ...defaultArguments, "--dir", "/tmp", "--protected-mode", "no", ...args];
  return onFreePort(async (port) => {
    const wanted = new LocalContainer(name, port, docker).withCommand(command);
    const container = await wanted.withWaitStrategy(Wait.forLogMessage(readyLine)).start();
    const version = await versionOf(addressOf(container));
    return new RedisContainer({ flavour: kind.name, name, version }, container, docker);
  });
}

/** A container with its port on this machine's loopback only. The port is fixed, so that it stays over a restart. */
class LocalContainer extends GenericContainer {
  constructor(image: string, port: number, docker: Engine) {
    super(image);
    this.withExposedPorts({ container: INNER_PORT, host: port });
    if (docker.network !== undefined) this.withNetwork(docker.network);
    const { host } = docker.client.info.containerRuntime;
    if (host !== "localhost" && host !== "127.0.0.1") return; // the engine is on another machine
    const binding = [{ HostIp: "127.0.0.1", HostPort: String(port) }];
    this.hostConfig.PortBindings = { [`${INNER_PORT}/tcp`]: binding };
  }
}

class RedisContainer implements RedisServer {
  readonly using = "container" as const;
  readonly flavour: RedisFlavour;
  readonly source: string;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly #container: StartedTestContainer;
  readonly #docker: Engine;
  #resume: (() => void) | undefined;

  constructor(
    image: { flavour: RedisFlavour; name: string; version: string },
    container: StartedTestContainer,
    docker: Engine,
  ) {
    this.flavour = image.flavour;
    this.source = `container ${image.name}`;
    this.version = image.version;
    ({ host: this.host, port: this.port } = addressOf(container));
    this.#container = container;
    this.#docker = docker;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** `docker pause`: the caller cannot wait, and the library only speaks asynchronously, so the command does it. */
  pause(): () => void {
    this.#command("pause");
    const resume = (): void => {
      if (this.#resume !== resume) return;
      this.#resume = undefined;
      this.#command("unpause");
    };
    this.#resume = resume;
    return resume;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#resume?.();
    const container = this.#inner();
    const { State } = await container.inspect();
    if (!State.Running) return;
    await container.kill({ signal: "SIGKILL" });
    await container.wait();
  }

  async start(): Promise<void> {
    await this.#inner().start();
    await until(`${this.url} answers`, async () => (await request(this, "PING")) === "PONG");
  }

  async close(): Promise<void> {
    this.#resume?.();
    await this.#container.stop({ timeout: 0 });
  }

  #inner(): ReturnType<Engine["client"]["container"]["getById"]> {
    return this.#docker.client.container.getById(this.#container.getId());
  }

  #command(verb: "pause" | "unpause"): void {
    const { status, error, stderr } = spawnSync("docker", [verb, this.#container.getId()], { encoding: "utf8" });
    if (status !== 0) throw new Error(`docker ${verb} failed: ${error?.message ?? stderr}`);
  }
}

/** `localhost` would be tried as IPv6 first. */
function addressOf(container: StartedTestContainer): Address {
  const host = container.getHost();
  return { host: host === "localhost" ? "127.0.0.1" : host, port: container.getMappedPort(INNER_PORT) };
}
