/** The conformance harness: a server of its own for each store, in real time, behind a proxy that causes the faults. */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@pq/core/backend";
import { FaultProxy, type Harness } from "@pq/core/testing";
import { startTarantool, type TarantoolOptions as ServerOptions } from "@pq/services";
import { tarantool, type TarantoolOptions } from "../src/index.ts";
import { tarantoolCapabilities } from "../src/capabilities.ts";

/** How long a command may take on all harnesses, in ms. */
export const COMMAND_TIMEOUT = 2000;

/** What differs between harnesses. */
interface HarnessOptions {
  readonly name: string;
  readonly server?: Omit<ServerOptions, "using">;
  readonly backend?: TarantoolOptions;
}

/** A harness on single servers. */
export function tarantoolHarness({ name, server: settings = {}, backend = {} }: HarnessOptions): Harness {
  return {
    name,
    capabilities: tarantoolCapabilities,
    async open() {
      const server = await startTarantool({ ...settings, using: "program" });
      const proxy = await FaultProxy.listen({ port: server.port, host: server.host, isRequest: isCall });
      const { host, port } = proxy;
      const { user, password } = server;
      return {
        connect: () => tarantool({ host, port, user, password, commandTimeout: COMMAND_TIMEOUT, ...backend }),
        clock: systemClock,
        pass: (ms) => sleep(ms),
        faults: proxy.faults({ pause: () => server.pause(), restart: () => server.restart() }),
        async close() {
          await proxy.close();
          await server.close();
        },
      };
    },
  };
}

/** What the seam's calls name, as MessagePack has it. Everything else (login, settings, waiting) is no request to the proxy. */
const METHODS = [
  "put",
  "take",
  "settle",
  "touch",
  "kick",
  "dig",
  "delete",
  "truncate",
  "pause",
  "read",
  "list",
  "stats",
];
const CALL = new RegExp(METHODS.map((name) => `${String.fromCharCode(0xa0 | name.length)}${name}`).join("|"));

/** Is this one of the seam's calls? */
export function isCall(bytes: Uint8Array): boolean {
  return CALL.test(Buffer.from(bytes).toString("latin1"));
}
