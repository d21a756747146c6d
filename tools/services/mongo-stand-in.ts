/** A stand-in for MongoDB: a Java program of this machine. */
import { join } from "node:path";
import { prepareJava } from "./java.ts";
import type { MongoOptions, MongoServer } from "./mongo.ts";
import { mongoJavaServer } from "./mongo-jars.ts";
import { ownMongo, startInFolder } from "./mongo-own.ts";

const HEAP_MIB = 512;
/** A start costs 0.28 s of a processor instead of 0.43 s. But in the long run the other compiler scans twice as fast. */
const QUICK_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/** Start one on a free port and a new folder. Rejects with Unavailable when there is no Java, or no jars. */
export async function startMongoStandIn({ storage = "file", heap = HEAP_MIB }: MongoOptions): Promise<MongoServer> {
  const { name, version, main } = mongoJavaServer;
  const { command, classPath } = await prepareJava(mongoJavaServer);
  const tuning = storage === "file" ? QUICK_START : [];
  const holder = await startInFolder((port, folder) => {
    const place = storage === "file" ? [join(folder, "data")] : [];
    const args = [`-Xmx${heap}m`, ...tuning, "-cp", classPath, main, String(port), ...place];
    return { command, args, ready: /^ready$/m };
  });
  return ownMongo(holder, {
    version: "7.0.0",
    using: "stand-in",
    source: `stand-in ${name} ${version}`,
    genuine: false,
    replicaSet: false,
    url: `mongodb://${holder.host}:${holder.port}/`,
  });
}
