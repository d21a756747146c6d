/**
 * The conformance harness: one server for a test file, a root for each store, in real time, behind a proxy that causes the faults.
 * What stops the server would disturb other stores, so rules that do it run after all others, one by one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@pq/core/backend";
import { conformance, type Harness, type Rule, rules, type TestStore } from "@pq/core/testing";
import { available, startZk, type ZkServer } from "@pq/services";
import { afterAll, describe, it } from "vitest";
import { zkCapabilities } from "../src/capabilities.ts";
import { zk, type ZkOptions } from "../src/index.ts";
import { startProxy } from "./proxy.ts";

/** How long a command may take on all harnesses, in ms, and a session outlives its connections. */
const COMMAND_TIMEOUT = 4000;
const SESSION_TIMEOUT = 4000;

/** Run the suite on a server that is started at the first rule. */
export async function conformanceOnZk(name: string, options: Partial<ZkOptions> = {}): Promise<void> {
  const { available: isThere } = await available("zk");
  let starting: Promise<ZkServer> | undefined;
  const harness = (title: string): Harness => ({
    name: title,
    capabilities: zkCapabilities,
    open: async () => openStore(await (starting ??= startZk()), options),
  });
  const suite = isThere ? describe : describe.skip;
  conformance(
    harness(name),
    { describe: suite.concurrent, it },
    rules.filter((rule) => !stopsServer(rule)),
  );
  conformance(harness(`${name}, stopped`), { describe: suite, it }, rules.filter(stopsServer));
  afterAll(async () => (await starting)?.close());
}

function stopsServer({ needs }: Rule): boolean {
  return needs?.faults?.some((fault) => fault === "pause" || fault === "restart") ?? false;
}

let stores = 0;

/** A store of its own on a server. */
export async function openStore(server: ZkServer, options: Partial<ZkOptions> = {}): Promise<TestStore> {
  const root = `/pq-${process.pid}-${stores++}`;
  const proxy = await startProxy(server);
  return {
    connect: () =>
      zk({
        hosts: `${proxy.host}:${proxy.port}`,
        root,
        commandTimeout: COMMAND_TIMEOUT,
        sessionTimeout: SESSION_TIMEOUT,
        ...options,
      }),
    clock: systemClock,
    pass: (ms) => sleep(ms),
    faults: { ...proxy.faults, pause: () => server.pause(), restart: () => server.restart() },
    close: () => proxy.close(),
  };
}
