/** A Tarantool server with its faults. */
import { readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { FaultProxy } from "@pq/core/testing";
import { startTarantool, type TarantoolServer } from "@pq/services";
import { SESSION } from "../client/spec.ts";
import type { Store, StoreOptions } from "../store.ts";
import { pass } from "../time.ts";

/** The tail of the log that a power cut takes when nothing was synced, in bytes. */
const UNSYNCED = 64 * 1024;

/** The names of the calls of the seam, as MessagePack has them. Who logs in, says hello or waits makes no such call. */
const CALL = /\xa3put|\xa4take|\xa6settle|\xa5touch|\xa4read|\xa4list|\xa5stats/;

/** Start one, which syncs each write. Weak: it does not, and each stop loses the tail of the log, as a power cut would. */
export async function startTarantoolStore({ flavour, weak }: StoreOptions): Promise<Store> {
  if (flavour !== undefined) throw new Error("There are no flavours of Tarantool.");
  const walMode = weak ? "write" : "fsync";
  const server = await startTarantool({ using: "program", walMode });
  const lost = weak ? `, and each stop loses the last ${UNSYNCED} bytes of the log` : "";
  const { user, password } = server;
  return {
    version: `Tarantool ${server.version}`,
    setup: `one server, wal_mode ${walMode}${lost}, leases back ${SESSION} ms after the last connection`,
    rate: 100,
    pace: 1,
    exactCounters: true,
    session: SESSION,
    proxy: () => FaultProxy.listen({ host: server.host, port: server.port, isRequest: isCall }),
    place: (proxy) => ({
      store: "tarantool",
      host: (proxy ?? server).host,
      port: (proxy ?? server).port,
      user,
      password,
    }),
    async stop() {
      await server.stop();
      if (weak) await losePower(server);
    },
    start: () => server.start(),
    pause: () => server.pause(),
    specials: specialsOf(server),
    close: () => server.close(),
  };
}

function specialsOf(server: TarantoolServer): Store["specials"] {
  return {
    "read-only for a moment": { cuts: false, run: () => readOnly(server) },
    snapshot: { cuts: false, run: async () => void (await server.admin("box.snapshot()")) },
    "scripts loaded anew": { cuts: false, run: async () => void (await server.admin(NEW_SCRIPTS)) },
  };
}

/** As after the update of a package: the same scripts, with a version of their own. */
const NEW_SCRIPTS = `
if box.space.pq_code ~= nil and box.space.pq_code:get('scripts') ~= nil then
  box.space.pq_code:update('scripts', {{'+', 2, 1}})
  box.func.pq:call({'load'})
end`;

async function readOnly(server: TarantoolServer): Promise<void> {
  await server.admin("box.cfg{read_only = true}");
  await pass(300);
  await server.admin("box.cfg{read_only = false}");
}

function isCall(bytes: Uint8Array): boolean {
  return CALL.test(Buffer.from(bytes.subarray(0, 64 * 1024)).toString("latin1"));
}

/** What has come to an end in a snapshot or an older log was synced when that ended. */
async function losePower({ folder }: TarantoolServer): Promise<void> {
  const data = join(folder ?? "", "data");
  const logs = (await readdir(data)).filter((name) => name.endsWith(".xlog")).sort();
  const newest = join(data, logs.at(-1)!);
  const { size } = await stat(newest);
  // An empty log would have no head.
  await truncate(newest, Math.max(Math.min(size, 1024), size - UNSYNCED));
}
