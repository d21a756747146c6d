/** A Tarantool server in a container: of the official image, or of one that was built from Debian's package. */
import { type Container, startContainer } from "./container.ts";
import { kinds } from "./kinds.ts";
import { onFreePort } from "./ports.ts";
import { PASSWORD, type TarantoolServer, type TarantoolSettings, urlOf, USER } from "./tarantool.ts";
import { adminClientText, initText, readyLine } from "./tarantool-lua.ts";
import { resultIn, versionOf } from "./tarantool-wire.ts";
import { until } from "./wait.ts";

const INNER_PORT = 3301;
/** Where the official image's own user may write, too. */
const FOLDER = "/tmp/data";
const INIT = "/tmp/init.lua";
const ADMIN_CLIENT = "/tmp/admin.lua";

/** Start a container. Rejects with Unavailable when there is no engine or no image. */
export async function startTarantoolContainer(settings: TarantoolSettings): Promise<TarantoolServer> {
  const init = initText({ bind: "0.0.0.0", port: INNER_PORT, folder: FOLDER }, settings);
  return onFreePort(async (port) => {
    const container = await startContainer(kinds.tarantool, {
      command: [kinds.tarantool.program, INIT],
      files: [
        { content: init, target: INIT },
        { content: adminClientText(FOLDER), target: ADMIN_CLIENT },
      ],
      ready: readyLine,
      ports: { inner: INNER_PORT, outer: port },
    });
    try {
      return serverOf(container, port, await versionOf({ host: container.host, port }));
    } catch (error) {
      await container.remove();
      throw error;
    }
  });
}

function serverOf(container: Container, port: number, version: string): TarantoolServer {
  const { host } = container;
  let resume = (): void => {};
  const admin = async (lua: string): Promise<string> =>
    resultIn(await container.run([kinds.tarantool.program, ADMIN_CLIENT, lua]));
  const kill = async (): Promise<void> => container.kill();
  const start = async (): Promise<void> => {
    await container.start();
    await until(`${host}:${port} answers`, async () => (await admin("true")) === "true");
  };
  return {
    version,
    using: "container",
    source: `container ${container.image}`,
    host,
    port,
    url: urlOf({ host, port }),
    user: USER,
    password: PASSWORD,
    admin,
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
