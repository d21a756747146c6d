/** A MongoDB server that somebody runs, named by its address. */
import type { MongoServer } from "./mongo.ts";
import { factsOf } from "./mongo-admin.ts";

/** Speak to the server at this address, which this variable holds. Rejects when it does not answer. */
export async function connectMongo(url: string, variable: string): Promise<MongoServer> {
  const notOurs = (): Error => new Error(`The server of ${variable} is not ours to stop.`);
  const refuse = async (): Promise<void> => {
    throw notOurs();
  };
  return {
    ...(await factsOf(url)),
    using: "address",
    source: variable,
    url,
    pause: () => {
      throw notOurs();
    },
    restart: refuse,
    stop: refuse,
    start: refuse,
    close: async () => {},
  };
}
