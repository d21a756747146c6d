/**
 * Harnesses on servers that start too slowly for one each: all stores share them, each under a prefix of its own and behind proxies of its own.
 * What stops the servers would disturb other stores, so rules that do it run after all others, one by one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@pq/core/backend";
import { conformance, type Faults, FaultProxy, type Harness, type Rule, rules, type TestStore } from "@pq/core/testing";
import type { Availability } from "@pq/services";
import { afterAll, describe, it } from "vitest";
import { redis, type RedisOptions } from "../src/index.ts";
import { redisCapabilities } from "../src/capabilities.ts";
import { type Address, COMMAND_TIMEOUT, isCall, loadScripts } from "./harness.ts";

/** Something that stops and goes on. */
interface Stoppable extends Address {
  pause(): () => void;
  restart(): Promise<void>;
}

/** Servers that stores share. */
export interface SharedServers {
  /** Those that have the data, and get a proxy each. */
  readonly servers: readonly Stoppable[];
  /** How to connect, when each of the servers is to be reached at the proxy of the same index. */
  readonly connect: (proxies: readonly Address[]) => RedisOptions;
  /** Resolves when they serve again after a restart. */
  readonly ready?: () => Promise<void>;
  close(): Promise<void>;
}

/** Run the suite on servers that are started once, at the first rule. */
export function conformanceOnShared(
  name: string,
  { available }: Availability,
  start: () => Promise<SharedServers>,
): void {
  let starting: Promise<SharedServers> | undefined;
  const started = async (): Promise<SharedServers> => {
    const shared = await start();
    await Promise.all(shared.servers.map(loadScripts));
    return shared;
  };
  const harness = (title: string): Harness => ({
    name: title,
    capabilities: redisCapabilities,
    open: async () => openStore(await (starting ??= started())),
  });
  const suite = available ? describe : describe.skip;
  conformance(
    harness(name),
    { describe: suite.concurrent, it },
    rules.filter((rule) => !stopsServers(rule)),
  );
  conformance(harness(`${name}, stopped`), { describe: suite, it }, rules.filter(stopsServers));
  afterAll(async () => (await starting)?.close());
}

function stopsServers({ needs }: Rule): boolean {
  return needs?.faults?.some((fault) => fault === "pause" || fault === "restart") ?? false;
}

let stores = 0;

async function openStore({ servers, connect, ready }: SharedServers): Promise<TestStore> {
  const prefix = `store-${stores++}`;
  const gate = new Gate();
  const listening = servers.map(({ host, port }) => FaultProxy.listen({ host, port, isRequest: gate.opens }));
  const proxies = await Promise.all(listening);
  return {
    connect: () => redis({ ...connect(proxies), prefix, commandTimeout: COMMAND_TIMEOUT }),
    clock: systemClock,
    pass: (ms) => sleep(ms),
    faults: {
      ...faultsOf(proxies, gate),
      pause: () => together(servers.map((server) => server.pause())),
      restart: async () => {
        await Promise.all(servers.map((server) => server.restart()));
        await ready?.();
        await Promise.all(servers.map(loadScripts));
      },
    },
    close: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
  };
}

function faultsOf(proxies: readonly FaultProxy[], gate: Gate): Faults {
  const lose = (kind: "loseReply" | "loseRequest") => (): void => {
    gate.admit(kind);
    for (const proxy of proxies) proxy[kind]();
  };
  return {
    loseReply: lose("loseReply"),
    loseRequest: lose("loseRequest"),
    cut: () => {
      for (const proxy of proxies) proxy.cut();
    },
    halfOpen: () => together(proxies.map((proxy) => proxy.halfOpen())),
  };
}

function together(ends: readonly (() => void)[]): () => void {
  return () => {
    for (const end of ends) end();
  };
}

/** Nobody knows which proxy the next call goes through, so all of them are armed, and the first one that sees a call uses it up for all. */
class Gate {
  #admitted = 0;
  #kind: string | undefined;

  admit(kind: string): void {
    // What is left armed in the other proxies would be of the wrong kind.
    if (this.#kind !== undefined && this.#kind !== kind) throw new Error("one kind of loss for each store");
    this.#kind = kind;
    this.#admitted++;
  }

  readonly opens = (bytes: Uint8Array): boolean => {
    if (this.#admitted === 0 || !isCall(bytes)) return false;
    this.#admitted--;
    return true;
  };
}
