/** Starts a MongoDB server, or what stands in for one, from wherever one is to be had. */
import { announce } from "./announce.ts";
import { everyUsing, startFirst } from "./find.ts";
import { kinds } from "./kinds.ts";
import type { MongoOptions, MongoServer } from "./mongo.ts";
import { startMongoStandIn } from "./mongo-stand-in.ts";

/**
 * Start a server for a test, empty and its own, unless it comes from an address. The first of each source is printed.
 * Rejects with Unavailable when there is none to be had.
 */
export async function startMongo(options: MongoOptions = {}): Promise<MongoServer> {
  const { using = everyUsing } = options;
  const server = await startFirst<MongoServer>(kinds.mongo, typeof using === "string" ? [using] : using, {
    "stand-in": () => startMongoStandIn(options),
  });
  announce(`MongoDB ${server.version} from ${server.source}`);
  return server;
}
