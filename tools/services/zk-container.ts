/** A ZooKeeper server in a container: of the official image, or of one that was built from Debian's packages. */
import { type Container, startContainer } from "./container.ts";
import { stateOf } from "./four-letter.ts";
import { kinds } from "./kinds.ts";
import { onFreePort } from "./ports.ts";
import { until } from "./wait.ts";
import { configurationOf, javaArguments, MAIN, readyLine, type ZkServer, type ZkSettings } from "./zk.ts";

const INNER_PORT = 2181;
const FILE = "/tmp/zoo.cfg";
/** Of both images. Java ignores what is not there; the official one starts in the folder that has `lib`. */
const CLASS_PATH = ["/conf", "lib/*", ...(kinds.zk.files ?? [])].join(":");
/** In an image that was only unpacked from packages, no link leads from the PATH to it. */
const DEBIAN_JAVA = "/usr/lib/jvm/default-java/bin/java";

/** Start a container. Rejects with Unavailable when there is no engine or no image. */
export async function startZkContainer(settings: ZkSettings): Promise<ZkServer> {
  const content = configurationOf({ bind: "0.0.0.0", port: INNER_PORT, folder: "/tmp/data" }, settings);
  const args = [...javaArguments(settings), "-cp", CLASS_PATH, MAIN, FILE];
  return onFreePort(async (port) => {
    const container = await startContainer(kinds.zk, {
      command: ({ local }) => [local ? DEBIAN_JAVA : kinds.zk.program, ...args],
      files: [{ content, target: FILE }],
      ready: readyLine,
      ports: { inner: INNER_PORT, outer: port },
    });
    const answers = async (): Promise<string> => versionOf({ host: container.host, port });
    try {
      return serverOf(container, port, { version: await answers(), answers });
    } catch (error) {
      await container.remove();
      throw error;
    }
  });
}

/** Its version, once it serves. */
async function versionOf(address: { readonly host: string; readonly port: number }): Promise<string> {
  let version = "unknown";
  await until(`${address.host}:${address.port} answers`, async () => {
    const state = await stateOf(address);
    version = state.version;
    return state.mode !== undefined;
  });
  return version;
}

function serverOf(
  container: Container,
  port: number,
  { version, answers }: { readonly version: string; readonly answers: () => Promise<unknown> },
): ZkServer {
  let resume = (): void => {};
  const kill = async (): Promise<void> => container.kill();
  const start = async (): Promise<void> => {
    await container.start();
    await answers();
  };
  return {
    version,
    using: "container",
    source: `container ${container.image}`,
    host: container.host,
    port,
    hosts: `${container.host}:${port}`,
    pause: () => (resume = container.pause()),
    resume: () => resume(),
    kill,
    stop: kill,
    start,
    async restart() {
      await kill();
      await start();
    },
    close: async () => container.remove(),
  };
}
