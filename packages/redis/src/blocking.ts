/** A connection for commands that block. Nothing else goes over it, and it is made anew after any loss. */
import type { Redis } from "ioredis";
import { PqError, systemClock } from "@pq/core/backend";
import { CONNECT_TIMEOUT } from "./client-options.ts";
import { connect } from "./connecting.ts";
import { callError } from "./errors.ts";
import { closedError, type Route } from "./route.ts";

/** A connection that may block, one command at a time. Made at the first `pop`. */
export interface Blocking {
  /**
   * The first element of a list, removed from it; waits for one up to `timeoutMs` (0: not at all, fractions rounded up).
   * `null`: none came. Rejects with `UNAVAILABLE` when the connection could not be made or was lost, when the server is no longer
   * the one that has the key, and with `CLOSED` after `close`. An element may have been removed then all the same.
   */
  pop(key: string, timeoutMs: number): Promise<Buffer | null>;
  /** Disconnect now. A running `pop` rejects with `CLOSED`. */
  close(): void;
}

/** What a connection that blocks is made of. */
export interface BlockingSettings {
  readonly route: Route;
  readonly address: string;
  /** How much later than its own timeout the server may answer, in ms. */
  readonly grace: number;
  readonly onClose: (blocking: Blocking) => void;
}

/** The connection that blocks. */
export class BlockingConnection implements Blocking {
  readonly #settings: BlockingSettings;
  #client: Redis | undefined;
  #busy = false;
  #closed = false;
  #interrupt: ((error: PqError) => void) | undefined;

  constructor(settings: BlockingSettings) {
    this.#settings = settings;
  }

  async pop(key: string, timeoutMs: number): Promise<Buffer | null> {
    if (this.#closed) throw closedError();
    if (this.#busy) throw new PqError("INVALID_STATE", "a connection that blocks does one thing at a time");
    this.#busy = true;
    try {
      return await this.#interruptible(this.#pop(key, Math.max(0, Math.ceil(timeoutMs))));
    } catch (error) {
      this.#drop();
      throw this.#unavailable(error);
    } finally {
      this.#busy = false;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#interrupt?.(closedError());
    this.#drop();
    this.#settings.onClose(this);
  }

  async #pop(key: string, ms: number): Promise<Buffer | null> {
    const client = (this.#client ??= await this.#connect(key));
    if (ms === 0) return element(await this.#answer(client.callBuffer("lpop", [key]), 0));
    // The server takes seconds, and 0 as for ever.
    return element(await this.#answer(client.callBuffer("blpop", [key, String(ms / 1000)]), ms));
  }

  async #connect(key: string): Promise<Redis> {
    const { route, address } = this.#settings;
    const client = await route.waiter(key);
    await connect(client, address, CONNECT_TIMEOUT);
    if (this.#closed) client.disconnect();
    return client;
  }

  /** The answer, unless the server is too late with it: then the connection is dead without knowing it. */
  #answer(reply: Promise<unknown>, ms: number): Promise<unknown> {
    const { address, grace } = this.#settings;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new PqError("UNAVAILABLE", `no answer from ${address} in time`));
      const timer = systemClock.timer(ms + grace, late);
      reply.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #interruptible<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      promise.then(resolve, reject);
    });
  }

  #drop(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }

  #unavailable(error: unknown): PqError {
    const known = callError(error, this.#settings.address);
    // Waiting changes nothing that anybody relies on.
    return known.code === "OUTCOME_UNKNOWN" ? new PqError("UNAVAILABLE", known.message, { cause: known.cause }) : known;
  }
}

/** What BLPOP (key and element) or LPOP (element) gave. */
function element(reply: unknown): Buffer | null {
  const found: unknown = Array.isArray(reply) ? reply[1] : reply;
  return Buffer.isBuffer(found) ? found : null;
}
