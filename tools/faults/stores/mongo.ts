/** A MongoDB server, or what stands in for one, with its faults. */
import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { mongo } from "@pq/mongo";
import { FaultProxy } from "@pq/core/testing";
import { type MongoServer, startMongo } from "@pq/services";
import type { Store, StoreOptions } from "../store.ts";
import { pass } from "../time.ts";

/** Longer than any command of a client may take, in ms. */
const PAST_TIMEOUT = 2500;

/** Start one, which has written what it has answered. Weak: each stop loses all of it. */
export async function startMongoStore({ flavour, weak, keep }: StoreOptions): Promise<Store> {
  if (flavour !== undefined) throw new Error("There are no flavours of MongoDB.");
  const server = await startMongo({ using: ["program", "stand-in"], standalone: true, storage: "file" });
  const durable = server.genuine ? "standalone, with a journal" : "each command in its file before it is answered";
  return {
    version: server.genuine ? `MongoDB ${server.version}` : `no MongoDB, but a ${server.source}`,
    setup: `${durable}${weak ? ", and each stop loses all of it" : ""}`,
    // A stand-in needs seconds to start, and writes its file for each command.
    rate: server.genuine ? 100 : 8,
    pace: server.genuine ? 1 : 4,
    exactCounters: true,
    proxy: () => FaultProxy.listen({ host: server.host, port: server.port, isRequest: isOurs }),
    place: (proxy) => ({ store: "mongo", host: (proxy ?? server).host, port: (proxy ?? server).port }),
    async stop() {
      await server.stop();
      if (weak) await losePower(server);
    },
    start: () => server.start(),
    pause: () => server.pause(),
    specials: {
      "frozen past the timeout": { cuts: false, run: () => freeze(server) },
      "another that opens and closes": { cuts: false, run: () => openAndClose(server) },
    },
    async close() {
      await server.stop();
      if (keep !== undefined) await cp(server.folder ?? "", join(keep, "mongo"), { recursive: true });
      await server.close();
    },
  };
}

/** A call is several commands on our collections: each of them may be lost. Greetings are none. */
function isOurs(bytes: Uint8Array): boolean {
  return /\0pq\.\w+\0/.test(Buffer.from(bytes).toString("latin1"));
}

async function freeze(server: MongoServer): Promise<void> {
  const resume = server.pause();
  await pass(PAST_TIMEOUT);
  resume();
}

async function openAndClose({ url }: MongoServer): Promise<void> {
  const backend = mongo({ url });
  await backend.open({ report: () => undefined }).catch(() => undefined); // it may be slow to come back
  await backend.close();
}

/** What a power cut takes from a server that writes nothing down: everything. */
async function losePower({ folder = "" }: MongoServer): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
}
