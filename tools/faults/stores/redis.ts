/** A Redis or Valkey server with its faults. */
import { connect } from "node:net";
import { readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { FaultProxy } from "@pq/core/testing";
import { type RedisServer, startRedis } from "@pq/services";
import type { Store, StoreOptions } from "../store.ts";

/** The tail of the append-only file that a power cut takes when nothing was synced, in bytes. */
const UNSYNCED = 64 * 1024;

/**
 * Start one, with an append-only file that is never synced: what was written outlives any kill, and puts go two at a time, as they do
 * wherever calls are not synced one by one. Weak: each stop loses the tail of the file, as a power cut would.
 */
export async function startRedisStore({ flavour = "redis", weak }: StoreOptions): Promise<Store> {
  if (flavour !== "redis" && flavour !== "valkey") throw new Error(`There is no flavour "${flavour}" of Redis.`);
  // The last is a part of "weak": a file that was cut off is still loaded.
  const args = ["--appendonly", "yes", "--appendfsync", "no", "--aof-load-truncated", "yes"];
  const server = await startRedis({ flavour, using: "program", args });
  const name = flavour === "redis" ? "Redis" : "Valkey";
  return {
    version: `${name} ${server.version}`,
    setup: `appendonly yes, appendfsync no${weak ? `, and each stop loses the last ${UNSYNCED} bytes of the file` : ""}`,
    rate: 100,
    pace: 1,
    exactCounters: true,
    proxy: () => FaultProxy.listen({ host: server.host, port: server.port, isRequest: isScript }),
    place: (proxy) => ({ store: "redis", host: (proxy ?? server).host, port: (proxy ?? server).port }),
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

function specialsOf(server: RedisServer): Store["specials"] {
  return {
    "script flush": { cuts: false, run: async () => void (await command(server, "SCRIPT FLUSH")) },
    "client kill": { cuts: true, run: async () => void (await command(server, "CLIENT KILL TYPE normal SKIPME yes")) },
    "client kill, blocked ones": { cuts: true, run: () => killBlocked(server) },
  };
}

/** Calls of the seam are scripts; greetings and blocking commands are not. */
function isScript(bytes: Uint8Array): boolean {
  return /evalsha/i.test(Buffer.from(bytes.subarray(0, 64 * 1024)).toString("latin1"));
}

async function killBlocked(server: RedisServer): Promise<void> {
  const list = await command(server, "CLIENT LIST");
  for (const [, id] of list.matchAll(/^(?:\$\d+\r\n)?id=(\d+) .* flags=b/gm)) {
    await command(server, `CLIENT KILL ID ${id}`);
  }
}

/** One inline command on a connection of its own; whatever was answered. */
async function command({ host, port }: RedisServer, line: string): Promise<string> {
  const socket = connect({ host, port });
  socket.setTimeout(5000, () => socket.destroy(new Error(`${line}: no answer`)));
  socket.write(`${line}\r\nQUIT\r\n`);
  return text(socket);
}

async function losePower({ folder }: RedisServer): Promise<void> {
  const path = join(folder ?? "", "appendonlydir");
  for (const name of (await readdir(path)).filter((each) => each.endsWith(".incr.aof"))) {
    const { size } = await stat(join(path, name));
    await truncate(join(path, name), Math.max(0, size - UNSYNCED));
  }
}
