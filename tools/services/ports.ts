/**
 * Ports for servers: below those that the system gives to outgoing connections (32768 on Linux), so that a port stays free
 * while its server is down; and low enough that a Redis Cluster's second port, 10000 above, is too.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { StartError } from "./program.ts";
import { messageOf } from "./unavailable.ts";

const FIRST = 12_000;
const LAST = 22_000;
const ATTEMPTS = 20;

/** Start something on a port that is free: another one is tried while the server says that the address is in use. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  return trying(async () => start(randomInt(FIRST, LAST)));
}

/** Start something on several ports that are free. These are seen to be, since not each server says so of every port. */
export async function onFreePorts<T>(count: number, start: (ports: readonly number[]) => Promise<T>): Promise<T> {
  return trying(async () => {
    const ports = new Set<number>();
    while (ports.size < count) ports.add(randomInt(FIRST, LAST));
    await Promise.all([...ports].map(checkFree));
    return start([...ports]);
  });
}

async function trying<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === ATTEMPTS || !isAddressInUse(error)) throw error;
    }
  }
}

/** Rejects when somebody listens there. */
async function checkFree(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
  await once(server, "close");
}

function isAddressInUse(error: unknown): boolean {
  const text = error instanceof StartError ? error.output : messageOf(error);
  return /address already in use|port is already allocated/i.test(text);
}
