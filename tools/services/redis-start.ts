/** Starts a Redis or Valkey server, from wherever one is to be had. */
import { announce } from "./announce.ts";
import { everyUsing, programOf, startFirst } from "./find.ts";
import { type Kind, kinds } from "./kinds.ts";
import type { RedisFlavour, RedisOptions, RedisServer, RedisUsing } from "./redis.ts";
import { connectRedis } from "./redis-address.ts";
import { type RedisProgram, startRedisProgram } from "./redis-program.ts";

/**
 * Start a server for a test, empty and its own, unless it comes from an address. The first of each source is printed.
 * Rejects with Unavailable when there is none to be had.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const kind = kinds[options.flavour ?? "redis"];
  const args = options.args ?? [];
  const server = await startFirst<RedisServer>(kind, placesOf(options), {
    address: () => connectRedis(kind, process.env[kind.addressVariable] ?? ""),
    container: async () => {
      const { startRedisContainer } = await import("./redis-container.ts"); // its libraries take a third of a second
      return startRedisContainer(kind, args);
    },
    program: () => startFromProgram(kind, args),
  });
  announce(`${server.flavour} ${server.version} from ${server.source}`);
  return server;
}

/** Start a program of this machine: what tests need that run several servers together. */
export async function startFromProgram(kind: Kind<RedisFlavour>, args: readonly string[]): Promise<RedisProgram> {
  return startRedisProgram({ flavour: kind.name, command: await programOf(kind), args });
}

function placesOf({ using, args = [] }: RedisOptions): readonly RedisUsing[] {
  if (typeof using === "string") return [using];
  if (using !== undefined) return using;
  return args.length === 0 ? everyUsing : everyUsing.filter((place) => place !== "address");
}
