/** Making a connection, once. */
import { randomInt } from "node:crypto";
import type { Redis } from "ioredis";
import { PqError, systemClock } from "@pq/core/backend";
import { connectError } from "./errors.ts";

/** The pauses between attempts to connect, in ms: doubling from the first to the longest, each drawn between a half and the whole of it. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1000;

/** The pause before the next attempt after so many that failed in a row. */
export function pauseAfter(failures: number): number {
  if (failures === 0) return 0;
  const whole = Math.min(FIRST_PAUSE * 2 ** Math.min(failures - 1, 10), LONGEST_PAUSE);
  return randomInt(whole / 2, whole + 1);
}

/**
 * Connect a client that was made with `lazyConnect` and without a `retryStrategy`. Rejects within `ms` with `UNAVAILABLE` and the
 * reason; the client is of no use then, and disconnected.
 */
export async function connect(client: Redis, address: string, ms: number): Promise<void> {
  let reason: unknown;
  // Stays for the life of the client: an error that nobody listens to would be printed.
  client.on("error", (error) => {
    reason = error;
  });
  try {
    await within(ms, client.connect(), () => new PqError("UNAVAILABLE", `no answer from ${address} within ${ms} ms`));
    // ioredis reports a database that cannot be selected, and goes on with another one.
    if (reason !== undefined) throw connectError(reason, address);
  } catch (error) {
    client.disconnect();
    throw connectError(reason ?? error, address);
  }
}

/** The promise, or the error when it has not settled in time. */
export function within<T>(ms: number, promise: Promise<T>, error: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.timer(ms, () => reject(error()));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Wakes all who wait for something to change. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  /** Wake them. */
  ring(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolve when it rings, after `ms` at the latest. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = systemClock.timer(ms, wake);
      this.#waiting.add(wake);
    });
  }
}
