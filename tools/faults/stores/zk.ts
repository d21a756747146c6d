/** A ZooKeeper server with its faults. Clients in this process reach it without a proxy: one that is closed stops the event loop until the server has answered. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FaultProxy } from "@pq/core/testing";
import { startZk, type ZkServer } from "@pq/services";
import { zk } from "@pq/zk";
import { SESSION } from "../client/spec.ts";
import type { Store, StoreOptions } from "../store.ts";
import { pass } from "../time.ts";

/** A write to a log, or the look at its end: the kind of the request (1 creates, 5 sets), the length of the path, the path. */
// oxlint-disable-next-line no-control-regex -- a protocol of binary numbers
const CALL = /\0\0\0[\x01\x05]\0\0[^]{2}\/[\x20-\x7e]*\/log\//;

/** Start one, which syncs each write. Weak: each stop loses all of it. */
export async function startZkStore({ flavour, weak }: StoreOptions): Promise<Store> {
  if (flavour !== undefined) throw new Error("There are no flavours of ZooKeeper.");
  const server = await startZk({ using: "program" });
  return {
    version: `ZooKeeper ${server.version}`,
    setup: `one server, each write synced, sessions of ${SESSION} ms${weak ? ", and each stop loses all of it" : ""}`,
    rate: 30,
    // It needs a second to start.
    pace: 2,
    exactCounters: true,
    session: SESSION,
    proxy: () => FaultProxy.listen({ host: server.host, port: server.port, isRequest: isCall }),
    place: (proxy) => ({ store: "zk", host: (proxy ?? server).host, port: (proxy ?? server).port }),
    async stop() {
      await server.stop();
      if (weak) await rm(join(server.folder ?? "", "data"), { recursive: true });
    },
    start: () => server.start(),
    pause: () => server.pause(),
    specials: {
      "frozen past the session": { cuts: false, run: () => freeze(server) },
      "another that opens and closes": { cuts: false, run: () => openAndClose(server) },
    },
    close: () => server.close(),
  };
}

/** The client sends the length of a request by itself, so a chunk need not begin with it. */
function isCall(bytes: Uint8Array): boolean {
  return CALL.test(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"));
}

async function freeze(server: ZkServer): Promise<void> {
  const resume = server.pause();
  await pass(1.5 * SESSION);
  resume();
}

async function openAndClose({ hosts }: ZkServer): Promise<void> {
  const backend = zk(hosts);
  await backend.open({ report: () => undefined }).catch(() => undefined); // it may be slow to come back
  await backend.close();
}
