/** Connections that are cut at any moment: each call settles, and what it says is true. `PQ_TARANTOOL_CUTS` sets how many. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaultProxy } from "@pq/core/testing";
import { available, startTarantool, type TarantoolServer } from "@pq/services";
import { Connections, outcome } from "./support.ts";

const there = await available("tarantool", "program");

const CUTS = Number(process.env["PQ_TARANTOOL_CUTS"] ?? 100);
/** So many proxies at once. */
const LANES = 4;
/** By far longer than any answer takes here: a call that ends by it was left without an end. */
const TIMEOUT = 20_000;
/** When it is cut, however little has come, in ms. */
const LATEST = 200;

describe.skipIf(!there.available)("connections that are cut", { timeout: 30_000 + 200 * CUTS }, () => {
  const connections = new Connections();
  let server: TarantoolServer;

  beforeAll(async () => {
    const init = `
      seen = {}
      function see(key, length) seen[key] = true return key, string.rep('x', length) end
      function saw(key) return seen[key] == true end
      box.schema.user.grant('guest', 'execute', 'universe', nil, {if_not_exists = true})`;
    server = await startTarantool({ using: "program", walMode: "none", init });
  }, 60_000);

  afterAll(async () => {
    connections.closeAll();
    await server?.close();
  });

  /** Calls over a connection that is cut, and what each came to, by its key. */
  async function cutOnce(proxy: FaultProxy, name: string): Promise<Map<string, string>> {
    const connection = await connections.connect(proxy);
    const ended = new Promise<Error>((resolve) => connection.onEnd(resolve));
    const calls = new Map<string, Promise<string>>();
    const call = (bytes: number, length: number): void => {
      const key = `${name}-${calls.size}`;
      calls.set(key, outcome(connection.call("see", [key, length, Buffer.alloc(bytes)], TIMEOUT)));
    };
    // Some at once, more while answers come, and some after the end.
    for (let i = 0; i < 10; i++) call(i === 3 ? 300_000 : 10, i % 4 === 0 ? 400_000 : 100);
    const cutAt = proxy.statistics().bytesToClients + Math.random() ** 2 * 2_000_000;
    const latest = performance.now() + LATEST;
    while (proxy.statistics().bytesToClients < cutAt && performance.now() < latest) {
      if (calls.size < 200) call(Math.random() < 0.05 ? 200_000 : 10, Math.random() < 0.1 ? 500_000 : 100);
      await new Promise(setImmediate);
    }
    proxy.cut();
    for (let i = 0; i < 3; i++) {
      call(10, 10);
      await new Promise(setImmediate);
    }
    await ended;
    call(10, 10);
    const outcomes = new Map<string, string>();
    for (const [key, call] of calls) outcomes.set(key, await call);
    return outcomes;
  }

  test(`${CUTS} times: all calls settle at once, and tell the truth`, async () => {
    const direct = await connections.connect(server);
    const counts: Record<string, number> = {};
    let slowest = 0;
    const lane = async (lane: number): Promise<void> => {
      const proxy = await FaultProxy.listen({ port: server.port });
      if (lane === 0) proxy.slice(10_000);
      for (let i = lane; i < CUTS; i += LANES) {
        const began = performance.now();
        const outcomes = await cutOnce(proxy, String(i));
        slowest = Math.max(slowest, performance.now() - began);
        const saw = await Promise.all([...outcomes.keys()].map((key) => direct.call("saw", [key], TIMEOUT)));
        for (const [at, [, outcome]] of [...outcomes].entries()) {
          counts[outcome] = (counts[outcome] ?? 0) + 1;
          if (outcome === "answered") expect(saw[at]).toEqual([true]);
          if (outcome === "not sent") expect(saw[at]).toEqual([false]);
        }
      }
      await proxy.close();
    };
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
    expect(Object.keys(counts).sort()).toEqual(["answered", "lost", "not sent"]);
    expect(slowest).toBeLessThan(TIMEOUT / 2);
  });
});
