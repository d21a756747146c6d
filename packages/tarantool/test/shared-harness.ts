/**
 * A harness on one server that is too slow to start for one each: all stores share it, each under a prefix of its own and behind a proxy of its own.
 * What stops the server would disturb other stores, so rules that do it run after all others, one by one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@pq/core/backend";
import { conformance, FaultProxy, type Harness, type Rule, rules, type TestStore } from "@pq/core/testing";
import type { Availability, TarantoolServer } from "@pq/services";
import { afterAll, describe, it } from "vitest";
import { tarantoolCapabilities } from "../src/capabilities.ts";
import { tarantool } from "../src/index.ts";
import { COMMAND_TIMEOUT, isCall } from "./harness.ts";

/** Run the suite on a server that is started once, at the first rule. */
export function conformanceOnShared(
  name: string,
  { available }: Availability,
  start: () => Promise<TarantoolServer>,
): void {
  let starting: Promise<TarantoolServer> | undefined;
  const harness = (title: string): Harness => ({
    name: title,
    capabilities: tarantoolCapabilities,
    open: async () => openStore(await (starting ??= start())),
  });
  const suite = available ? describe : describe.skip;
  const others = rules.filter((rule) => !stopsServers(rule));
  conformance(harness(name), { describe: suite.concurrent, it }, others);
  conformance(harness(`${name}, stopped`), { describe: suite, it }, rules.filter(stopsServers));
  afterAll(async () => (await starting)?.close());
}

function stopsServers({ needs }: Rule): boolean {
  return needs?.faults?.some((fault) => fault === "pause" || fault === "restart") ?? false;
}

let stores = 0;

async function openStore(server: TarantoolServer): Promise<TestStore> {
  const prefix = `store_${stores++}`;
  const { user, password } = server;
  const proxy = await FaultProxy.listen({ host: server.host, port: server.port, isRequest: isCall });
  const { host, port } = proxy;
  return {
    connect: () => tarantool({ host, port, user, password, prefix, commandTimeout: COMMAND_TIMEOUT }),
    clock: systemClock,
    pass: (ms) => sleep(ms),
    faults: proxy.faults({ pause: () => server.pause(), restart: () => server.restart() }),
    close: () => proxy.close(),
  };
}
