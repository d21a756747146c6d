/** A Tarantool server that somebody runs, named by its address. */
import { kinds } from "./kinds.ts";
import type { TarantoolServer } from "./tarantool.ts";
import { versionOf } from "./tarantool-wire.ts";

const DEFAULT_PORT = 3301;

/** Speak to the server at this address. Rejects when it does not answer. */
export async function connectTarantool(url: string): Promise<TarantoolServer> {
  const source = kinds.tarantool.addressVariable;
  const { hostname: host, port: named, username, password } = new URL(url);
  const port = named === "" ? DEFAULT_PORT : Number(named);
  const notOurs = (): Error => new Error(`The server of ${source} is not ours to stop.`);
  const refuse = async (): Promise<never> => {
    throw notOurs();
  };
  return {
    version: await versionOf({ host, port }),
    using: "address",
    source,
    host,
    port,
    url,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    async admin() {
      throw new Error(`The server of ${source} is not ours to administer.`);
    },
    pause() {
      throw notOurs();
    },
    resume() {
      throw notOurs();
    },
    restart: refuse,
    kill: refuse,
    stop: refuse,
    start: refuse,
    async close() {},
  };
}
