/** The conformance harness: a server of its own for each store, in real time, behind a proxy that causes the faults. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, systemClock } from "@pq/core/backend";
import { FaultProxy, type Harness } from "@pq/core/testing";
import { type RedisFlavour, startRedis } from "@pq/services";
import { Redis } from "ioredis";
import { redis, type RedisOptions } from "../src/index.ts";
import { redisCapabilities } from "../src/capabilities.ts";
import { control } from "../src/scripts/control.ts";
import { put } from "../src/scripts/put.ts";
import { readJobs } from "../src/scripts/read.ts";
import { settle } from "../src/scripts/settle.ts";
import { stats } from "../src/scripts/stats.ts";
import { take } from "../src/scripts/take.ts";
import { touch } from "../src/scripts/touch.ts";

/** What the seam's calls run. Everything else (greetings, settings, waiting) is no request to the proxy. */
const scripts = [put, take, settle, touch, control, readJobs, stats];
const names = scripts.map(({ sha }) => sha);

/** How long a command may take on all harnesses, in ms. */
export const COMMAND_TIMEOUT = 2000;

/** Where something listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What differs between harnesses. */
export interface HarnessOptions {
  readonly name: string;
  readonly flavour?: RedisFlavour;
  /** The connections of the backend; default: its own, with the defaults. */
  readonly connect?: Connect;
}

/** How a backend connects to the store behind this address. What it opens and a backend does not close is in `borrowed`. */
type Connect = (address: Address, borrowed: Redis[]) => RedisOptions;

/** A harness on single servers. */
export function redisHarness({ name, flavour = "redis", connect = ownConnection }: HarnessOptions): Harness {
  return {
    name,
    capabilities: redisCapabilities,
    async open() {
      const server = await startRedis({ flavour, using: "program" });
      await loadScripts(server);
      const proxy = await FaultProxy.listen({ port: server.port, host: server.host, isRequest: isCall });
      const borrowed: Redis[] = [];
      return {
        connect: (): Backend => redis({ ...connect(proxy, borrowed), commandTimeout: COMMAND_TIMEOUT }),
        clock: systemClock,
        pass: (ms) => sleep(ms),
        faults: proxy.faults({
          pause: () => server.pause(),
          restart: async () => {
            await server.restart();
            await loadScripts(server);
          },
        }),
        async close() {
          for (const client of borrowed) client.disconnect();
          await proxy.close();
          await server.close();
        },
      };
    },
  };
}

function ownConnection({ host, port }: Address): RedisOptions {
  return { options: { host, port } };
}

/** A client as its users have it: with the defaults of ioredis, which sends again what was in flight when a connection was lost. */
export function borrowedConnection({ host, port }: Address, borrowed: Redis[]): RedisOptions {
  const client = new Redis({ host, port });
  client.on("error", () => undefined);
  borrowed.push(client);
  return { client };
}

/** Is this one of the seam's calls? */
export function isCall(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString("latin1");
  return names.some((sha) => text.includes(sha));
}

/** Beforehand, since the reply that is lost must be that of a call that was applied, and not one that asks for the text. */
export async function loadScripts({ host, port }: Address): Promise<void> {
  const client = new Redis({ host, port });
  for (const { source, sha } of scripts) {
    if ((await client.script("LOAD", source)) !== sha) throw new Error(createHash("sha1").update(source).digest("hex"));
  }
  client.disconnect();
}
