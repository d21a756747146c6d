/** A MongoDB server in a container. */
import { type Container, startContainer } from "./container.ts";
import { kinds } from "./kinds.ts";
import { type Mongod, mongodArguments, type MongodOptions, mongodReady } from "./mongod.ts";
import { onFreePort } from "./ports.ts";

/**
 * Start a container. Rejects with Unavailable when there is no engine or no image. Its port is the same inside and outside,
 * since a replica set tells its clients where its members are. With `host` it shares the machine's network (Linux only), so
 * that several see each other.
 */
export async function startMongodContainer(options: MongodOptions, network: "own" | "host" = "own"): Promise<Mongod> {
  return onFreePort(async (port) => {
    const bound = network === "host" ? ["--bind_ip", "127.0.0.1"] : ["--bind_ip_all"];
    const container = await startContainer(kinds.mongo, {
      command: ["mongod", ...mongodArguments(port, options), ...bound],
      ready: mongodReady,
      ports: network === "host" ? "host" : { inner: port, outer: port },
    });
    return { holder: holderOf(container, port), using: "container", source: `container ${container.image}` };
  });
}

function holderOf(container: Container, port: number): Mongod["holder"] {
  return {
    host: container.host,
    port,
    start: async () => container.start(),
    kill: async () => container.kill(),
    pause: () => container.pause(),
    remove: async () => container.remove(),
  };
}
