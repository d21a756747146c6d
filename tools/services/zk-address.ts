/** ZooKeeper servers that somebody runs, named by their address. */
import { stateOf } from "./four-letter.ts";
import type { ZkServer } from "./zk.ts";

const DEFAULT_PORT = 2181;

/** Speak to the server at this address, or the first of several, which this variable holds. Rejects when it does not answer. */
export async function connectZk(hosts: string, variable: string): Promise<ZkServer> {
  const { host, port } = firstOf(hosts);
  const notOurs = (): Error => new Error(`The server of ${variable} is not ours to stop.`);
  const refuse = async (): Promise<void> => {
    throw notOurs();
  };
  const refuseAtOnce = (): never => {
    throw notOurs();
  };
  return {
    version: (await stateOf({ host, port })).version,
    using: "address",
    source: variable,
    host,
    port,
    hosts,
    pause: refuseAtOnce,
    resume: refuseAtOnce,
    restart: refuse,
    kill: refuse,
    stop: refuse,
    start: refuse,
    close: async () => {},
  };
}

/** Of `a:2181,b:2181/folder` the first server. */
function firstOf(hosts: string): { readonly host: string; readonly port: number } {
  const [first = ""] = hosts.replace(/\/.*$/, "").split(",");
  const { hostname, port } = new URL(`zk://${first.trim()}`);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? DEFAULT_PORT : Number(port) };
}
