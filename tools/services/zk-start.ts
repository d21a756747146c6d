/** Starts a ZooKeeper server, from wherever one is to be had. */
import { announce } from "./announce.ts";
import { everyUsing, startFirst } from "./find.ts";
import { kinds } from "./kinds.ts";
import type { ZkOptions, ZkServer, ZkUsing } from "./zk.ts";
import { connectZk } from "./zk-address.ts";
import { startZkProgram } from "./zk-program.ts";

/**
 * Start a server for a test, empty and its own, unless it comes from an address. The first of each source is printed.
 * Rejects with Unavailable when there is none to be had.
 */
export async function startZk(options: ZkOptions = {}): Promise<ZkServer> {
  const { addressVariable } = kinds.zk;
  const server = await startFirst<ZkServer>(kinds.zk, placesOf(options), {
    address: () => connectZk(process.env[addressVariable] ?? "", addressVariable),
    container: async () => {
      const { startZkContainer } = await import("./zk-container.ts"); // its libraries take a third of a second
      return startZkContainer(options);
    },
    program: () => startZkProgram(options),
  });
  announce(`ZooKeeper ${server.version} from ${server.source}`);
  return server;
}

function placesOf({ using, ...settings }: ZkOptions): readonly ZkUsing[] {
  if (typeof using === "string") return [using];
  if (using !== undefined) return using;
  return Object.keys(settings).length === 0 ? everyUsing : everyUsing.filter((place) => place !== "address");
}
