/** Starts a Tarantool server, from wherever one is to be had. */
import { announce } from "./announce.ts";
import { everyUsing, startFirst } from "./find.ts";
import { kinds } from "./kinds.ts";
import type { TarantoolOptions, TarantoolServer, TarantoolUsing } from "./tarantool.ts";
import { connectTarantool } from "./tarantool-address.ts";
import { startTarantoolProgram } from "./tarantool-program.ts";

/**
 * Start a server for a test, empty and its own, unless it comes from an address. The first of each source is printed.
 * Rejects with Unavailable when there is none to be had.
 */
export async function startTarantool(options: TarantoolOptions = {}): Promise<TarantoolServer> {
  const kind = kinds.tarantool;
  const server = await startFirst<TarantoolServer>(kind, placesOf(options), {
    address: () => connectTarantool(process.env[kind.addressVariable] ?? ""),
    container: async () => {
      const { startTarantoolContainer } = await import("./tarantool-container.ts"); // its libraries take a third of a second
      return startTarantoolContainer(options);
    },
    program: () => startTarantoolProgram(() => options),
  });
  announce(`Tarantool ${server.version} from ${server.source}`);
  return server;
}

function placesOf({ using, ...settings }: TarantoolOptions): readonly TarantoolUsing[] {
  if (typeof using === "string") return [using];
  if (using !== undefined) return using;
  return Object.keys(settings).length === 0 ? everyUsing : everyUsing.filter((place) => place !== "address");
}
