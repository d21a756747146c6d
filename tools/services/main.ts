/**
 * `npm run services`: starts one server of each kind, prints the addresses as lines for a shell, and keeps them running until
 * ctrl-C. Their data go when they do.
 *
 *   npm run services -- redis                 only those kinds
 *   npm run services -- --using program       only from there: `container` or `program`
 */
import { parseArgs } from "node:util";
import { stopEngine } from "./engine.ts";
import { everyUsing } from "./find.ts";
import { notTested } from "./global-setup.ts";
import { type KindName, kinds } from "./kinds.ts";
import { startMongo } from "./mongo-start.ts";
import { startRedis } from "./redis-start.ts";
import { startTarantool } from "./tarantool-start.ts";
import { Unavailable } from "./unavailable.ts";
import { startZk } from "./zk-start.ts";

const { values, positionals } = parseArgs({ options: { using: { type: "string" } }, allowPositionals: true });
const all = Object.keys(kinds) as KindName[];
const wanted = positionals.length > 0 ? all.filter((name) => positionals.includes(name)) : all;
const using = everyUsing.filter((place) => (values.using === undefined ? place !== "address" : place === values.using));

const stop = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
});
// The servers do not keep this process alive.
const alive = setInterval(() => {}, 60_000);

const servers: { close(): Promise<void> }[] = [];
for (const name of wanted) {
  try {
    const { server, address } = await start(name);
    servers.push(server);
    console.log(`${kinds[name].addressVariable}=${address}`);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.error(notTested(name, error.message));
  }
}

if (servers.length > 0) {
  console.log("Ctrl-C stops them.");
  await stop;
}
await Promise.all(servers.map(async (server) => server.close()));
await stopEngine();
clearInterval(alive);
process.exitCode = servers.length === wanted.length ? 0 : 1;

async function start(name: KindName): Promise<{ server: { close(): Promise<void> }; address: string }> {
  switch (name) {
    case "zk": {
      const server = await startZk({ using });
      return { server, address: server.hosts };
    }
    case "tarantool": {
      const server = await startTarantool({ using });
      return { server, address: server.url };
    }
    case "mongo": {
      const server = await startMongo({ using });
      return { server, address: server.url };
    }
    case "redis":
    case "valkey": {
      const server = await startRedis({ flavour: name, using });
      return { server, address: server.url };
    }
  }
}
