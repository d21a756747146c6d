/**
 * Ports for servers: below those that the system gives to outgoing connections (32768 on Linux), so that a port stays free
 * while its server is down; and low enough that a Redis Cluster's second port, 10000 above, is too.
 */
import { randomInt } from "node:crypto";
import { StartError } from "./program.ts";
import { messageOf } from "./unavailable.ts";

const FIRST = 12_000;
const LAST = 22_000;
const ATTEMPTS = 20;

/** Start something on a port that is free: another one is tried while the server says that the address is in use. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(randomInt(FIRST, LAST));
    } catch (error) {
      if (attempt === ATTEMPTS || !isAddressInUse(error)) throw error;
    }
  }
}

function isAddressInUse(error: unknown): boolean {
  const text = error instanceof StartError ? error.output : messageOf(error);
  return /address already in use|port is already allocated/i.test(text);
}
