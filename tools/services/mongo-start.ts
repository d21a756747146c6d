/** Starts a MongoDB server, or what stands in for one, from wherever one is to be had. */
import { announce } from "./announce.ts";
import { everyUsing, startFirst } from "./find.ts";
import { kinds } from "./kinds.ts";
import type { MongoOptions, MongoServer } from "./mongo.ts";
import { connectMongo } from "./mongo-address.ts";
import { startMongoStandIn } from "./mongo-stand-in.ts";
import { startGenuine } from "./mongod.ts";
import { startMongodProgram } from "./mongod-program.ts";

/**
 * Start a server for a test, empty and its own, unless it comes from an address. The first of each source is printed.
 * Rejects with Unavailable when there is none to be had.
 */
export async function startMongo(options: MongoOptions = {}): Promise<MongoServer> {
  const { using = everyUsing } = options;
  const { addressVariable } = kinds.mongo;
  const server = await startFirst<MongoServer>(kinds.mongo, typeof using === "string" ? [using] : using, {
    address: () => connectMongo(process.env[addressVariable] ?? "", addressVariable),
    container: async () => {
      const { startMongodContainer } = await import("./mongod-container.ts"); // its libraries take a third of a second
      return startGenuine(startMongodContainer, options);
    },
    program: () => startGenuine(startMongodProgram, options),
    "stand-in": () => startMongoStandIn(options),
  });
  announce(`MongoDB ${server.version} from ${server.source}`);
  return server;
}
