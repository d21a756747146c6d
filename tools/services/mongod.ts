/** A real MongoDB server, from a program or a container: by itself, or the only member of a replica set. */
import type { MongoOptions, MongoServer } from "./mongo.ts";
import { factsOf, initiate, type MongoAddress, takesWrites } from "./mongo-admin.ts";
import { type Holder, ownMongo } from "./mongo-own.ts";

/** The name of every replica set here. */
export const SET = "pq";

/** The line of its log that says it takes commands. */
export const mongodReady: RegExp = /Waiting for connections/;

/** A mongod that runs, and is in no replica set yet. */
export interface Mongod {
  readonly holder: Holder;
  readonly using: "container" | "program";
  readonly source: string;
}

/** How it is to run. */
export interface MongodOptions {
  /** It is to be a member of a replica set, which it waits for. */
  readonly replicaSet: boolean;
}

/** The arguments of every mongod. The cache is its least: it would take half of the machine's memory. */
export function mongodArguments(port: number, { replicaSet }: MongodOptions): readonly string[] {
  const fixed = ["--port", String(port), "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"];
  return replicaSet ? [...fixed, "--replSet", SET] : fixed;
}

/** Start a mongod and make it usable: as a replica set of one, unless it is to be standalone. */
export async function startGenuine(
  startMongod: (options: MongodOptions) => Promise<Mongod>,
  { standalone = false }: MongoOptions,
): Promise<MongoServer> {
  const options = { replicaSet: !standalone };
  const server = await serverOf(await startMongod(options), options, takesWrites);
  try {
    if (!standalone) await initiate(SET, [server]);
    await takesWrites(server);
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The server that this mongod is; `ready` resolves when it can be used after another start. */
export async function serverOf(
  { holder, using, source }: Mongod,
  { replicaSet }: MongodOptions,
  ready: (address: MongoAddress) => Promise<void>,
): Promise<MongoServer> {
  const address = `mongodb://${holder.host}:${holder.port}/`;
  const url = replicaSet ? `${address}?replicaSet=${SET}` : address;
  try {
    const { version } = await factsOf(`${address}?directConnection=true`);
    const facts = { version, using, source, genuine: true, replicaSet, url };
    return ownMongo(holder, facts, async () => ready(holder));
  } catch (error) {
    await holder.remove();
    throw error;
  }
}
