/** A server in a container, which can be started again and again. */
import { spawnSync } from "node:child_process";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import { type Engine, engine } from "./engine.ts";
import { type Image, image } from "./images.ts";
import type { Kind } from "./kinds.ts";

/** What to run, and the line of output that says it is ready. */
export interface ContainerOptions {
  readonly command: readonly string[] | ((image: Image) => readonly string[]);
  /** What it finds in files, by their paths. */
  readonly files?: readonly { readonly content: string; readonly target: string }[];
  readonly ready: RegExp;
  /** The port on this machine's loopback, and the server's own. `host`: the server shares the machine's network (Linux only). */
  readonly ports: { readonly outer: number; readonly inner: number } | "host";
}

/** One container. */
export class Container {
  /** The name of its image. */
  readonly image: string;
  /** Where its port is. */
  readonly host: string;
  readonly #docker: Engine;
  readonly #started: StartedTestContainer;
  #resume: (() => void) | undefined;

  constructor(docker: Engine, imageName: string, started: StartedTestContainer) {
    this.image = imageName;
    // `localhost` would be tried as IPv6 first.
    this.host = started.getHost() === "localhost" ? "127.0.0.1" : started.getHost();
    this.#docker = docker;
    this.#started = started;
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

  /** Run another command in it; resolves with what that prints. Rejects with it when the command fails. */
  async run(command: readonly string[]): Promise<string> {
    const { output, stdout, exitCode } = await this.#started.exec([...command]);
    if (exitCode !== 0) throw new Error(`${command[0]} in ${this.image} ended with ${exitCode}.\n${output.trim()}`);
    return stdout;
  }

  /** SIGKILL its server; resolves when it is gone. The data stay. Does nothing while it does not run. */
  async kill(): Promise<void> {
    this.#resume?.();
    const container = this.#inner();
    const { State } = await container.inspect();
    if (!State.Running) return;
    await container.kill({ signal: "SIGKILL" });
    await container.wait();
  }

  /** Start it again after `kill`. It may not be ready yet. */
  async start(): Promise<void> {
    await this.#inner().start();
  }

  /** Stop it and remove its data. */
  async remove(): Promise<void> {
    this.#resume?.();
    await this.#started.stop({ timeout: 0 });
  }

  #inner(): ReturnType<Engine["client"]["container"]["getById"]> {
    return this.#docker.client.container.getById(this.#started.getId());
  }

  #command(verb: "pause" | "unpause"): void {
    const { status, error, stderr } = spawnSync("docker", [verb, this.#started.getId()], { encoding: "utf8" });
    if (status !== 0) throw new Error(`docker ${verb} failed: ${error?.message ?? stderr}`);
  }
}

/** Start a container of this kind; resolves when it is ready. Rejects with Unavailable when there is no engine or no image. */
export async function startContainer(kind: Kind, options: ContainerOptions): Promise<Container> {
  const docker = await engine();
  const { ports, command, files = [], ready } = options;
  const found = await image(kind, docker.client);
  // Where no image can be pulled, the library's own (it tidies up) cannot either.
  if (found.local) process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
  const wanted = new LocalContainer(found.name, ports, docker)
    .withCommand([...(typeof command === "function" ? command(found) : command)])
    .withCopyContentToContainer([...files])
    .withWaitStrategy(Wait.forLogMessage(ready));
  return new Container(docker, found.name, await wanted.start());
}

/** A container with its port on this machine's loopback only. The port is fixed, so that it stays over a restart. */
class LocalContainer extends GenericContainer {
  constructor(imageName: string, ports: ContainerOptions["ports"], docker: Engine) {
    super(imageName);
    if (ports === "host") {
      this.withNetworkMode("host");
      return;
    }
    this.withExposedPorts({ container: ports.inner, host: ports.outer });
    if (docker.network !== undefined) this.withNetwork(docker.network);
    const { host } = docker.client.info.containerRuntime;
    if (host !== "localhost" && host !== "127.0.0.1") return; // the engine is on another machine
    const binding = [{ HostIp: "127.0.0.1", HostPort: String(ports.outer) }];
    this.hostConfig.PortBindings = { [`${ports.inner}/tcp`]: binding };
  }
}
