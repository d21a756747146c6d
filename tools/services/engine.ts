/**
 * The Docker engine: the machine's own, or where there is none, one that belongs to this process.
 *
 * The latter runs as root in a pid namespace of its own: when the process that holds the namespace ends, the kernel ends
 * everything in it, so no container outlives the test process, however that ends. It touches neither the machine's engine (own
 * socket, own data) nor its packet filter (no iptables: Docker's proxy carries the connections), so several can run at once.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ContainerRuntimeClient, StartedNetwork } from "testcontainers";
import { isCI } from "./ci.ts";
import { canInstall, install } from "./debian.ts";
import { atExit, temporaryFolder } from "./leftovers.ts";
import { findProgram, Program } from "./program.ts";
import { messageOf, Unavailable } from "./unavailable.ts";

/** An engine that answers. */
export interface Engine {
  readonly client: ContainerRuntimeClient;
  /** Containers of our own engine are in this network: it has no default one. */
  readonly network: StartedNetwork | undefined;
  /** End it, if it is our own. */
  stop(): Promise<void>;
}

let running: Promise<Engine> | undefined;

/** True when the machine has an engine. */
export async function machineHasEngine(): Promise<boolean> {
  if (running !== undefined) return (await running).network === undefined;
  if (!mayHaveEngine()) return false;
  const { getContainerRuntimeClient } = await import("testcontainers");
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/** The machine's engine, or one of our own, which `stopEngine` or the end of this process ends. Rejects with Unavailable. */
export async function engine(): Promise<Engine> {
  running ??= find();
  try {
    return await running;
  } catch (error) {
    running = undefined;
    throw error;
  }
}

/** End our own engine with all its containers, for good: the last thing a test file does. Does nothing to the machine's. */
export async function stopEngine(): Promise<void> {
  await (await running)?.stop();
}

async function find(): Promise<Engine> {
  if (await machineHasEngine()) {
    const { getContainerRuntimeClient } = await import("testcontainers");
    return { client: await getContainerRuntimeClient(), network: undefined, stop: async () => {} };
  }
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Unavailable("no Docker engine answers, and only root on Linux can start one");
  }
  return startOwn(await dockerd());
}

/** Saves asking the library, which takes a third of a second to load. */
function mayHaveEngine(): boolean {
  if (process.platform === "win32" || process.env["DOCKER_HOST"] !== undefined) return true;
  const places = [
    "/var/run/docker.sock",
    join(process.env["XDG_RUNTIME_DIR"] ?? "/run", "docker.sock"),
    join(homedir(), ".docker/run/docker.sock"),
    join(homedir(), ".docker/desktop/docker.sock"),
    join(homedir(), ".testcontainers.properties"),
  ];
  return places.some((place) => existsSync(place));
}

/** A whole engine is more than a person expects tests to install. */
async function dockerd(): Promise<string> {
  const present = findProgram("dockerd", "/usr/sbin");
  if (present !== undefined) return present;
  if (!canInstall() || !isCI()) throw new Unavailable("no Docker engine answers, and there is no dockerd to start");
  await install("docker.io", "iptables");
  return findProgram("dockerd", "/usr/sbin") ?? "dockerd";
}

async function startOwn(command: string): Promise<Engine> {
  const folder = await temporaryFolder("engine");
  const socket = `unix://${join(folder.path, "socket")}`;
  const program = new Program({
    command: "unshare",
    args: ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", command, ...settings(folder.path, socket)],
    ready: /API listen on/,
  });
  try {
    await program.start();
  } catch (error) {
    await folder.remove();
    throw new Unavailable(`an own Docker engine does not start: ${messageOf(error)}`);
  }
  Object.assign(process.env, {
    DOCKER_HOST: socket,
    // It would ask Docker's default network where it is.
    TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1",
    // The container that tidies up after others cannot be pulled here, and the pid namespace does its work.
    TESTCONTAINERS_RYUK_DISABLED: "true",
  });
  const { getContainerRuntimeClient, Network } = await import("testcontainers");
  const network = await new Network().start();
  const forget = atExit(() => removeBridge(network));
  return {
    client: await getContainerRuntimeClient(),
    network,
    async stop() {
      await program.kill();
      removeBridge(network);
      forget();
      await folder.remove();
    },
  };
}

function settings(folder: string, socket: string): readonly string[] {
  const places = ["--host", socket, "--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")];
  const alone = ["--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"];
  return [...places, "--pidfile", join(folder, "pid"), ...alone];
}

/** The network's interface is the machine's, not the namespace's. */
function removeBridge(network: StartedNetwork): void {
  spawnSync("ip", ["link", "delete", `br-${network.getId().slice(0, 12)}`], { stdio: "ignore" });
}
