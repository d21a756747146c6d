/**
 * The way to the server: one connection to the one that takes writes, made anew whenever it is lost.
 *
 * A call goes out at once when there is a connection, waits for one for a moment when there is none, and is never sent twice. A server that takes
 * no writes (any more) is left, and the others are asked.
 */
import { PqError, sleep, systemClock } from "@pq/core/backend";
import { callError, connectError, isFatal, isReadOnly } from "./errors.ts";
import { ensureScripts } from "./install.ts";
import { Connection } from "./iproto/connection.ts";
import type { Received, Sendable } from "./iproto/value.ts";
import type { ResolvedOptions, Route } from "./options.ts";

/** How long opening may take, and how long a call waits for a connection that is away, in ms. */
const OPENING = 10_000;
const PATIENCE = 1000;
/** Between two tries to connect, in ms: the second number at most. */
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 500;

/** One call. */
export interface CallParams {
  readonly method: string;
  readonly args: readonly Sendable[];
  /** Does it change something? Then it may have been applied when no answer comes. */
  readonly changes: boolean;
  /** More time than one command has: for a call that the server holds back. In ms, default 0. */
  readonly extra?: number;
}

/** A connection that is ready, and where it leads. */
interface Current {
  readonly connection: Connection;
  readonly address: string;
}

/** The way to the server. */
export class Link {
  readonly #options: ResolvedOptions;
  readonly #member: Buffer;
  readonly #onState: (up: boolean, message: string) => void;
  #current: Current | undefined;
  /** Runs while there is no connection; resolves when there is one, rejects when it is of no use to go on. */
  #connecting: Promise<Current> | undefined;
  /** Why the last try failed. */
  #failure: PqError | undefined;
  #closed = true;
  /** Aborts when nobody is to wait for a connection any more. */
  #patience = new AbortController();
  #wasUp = false;
  /** Calls on their way. */
  readonly #calls = new Set<Promise<unknown>>();

  /** `member`: 16 bytes by which the server knows this process. */
  constructor(options: ResolvedOptions, member: Buffer, onState: (up: boolean, message: string) => void) {
    this.#options = options;
    this.#member = member;
    this.#onState = onState;
  }

  /** Connect. Rejects with `UNAVAILABLE` within 10 s, at once when it is of no use to go on. */
  async open(): Promise<void> {
    this.#closed = false;
    this.#patience = new AbortController();
    this.#wasUp = false;
    await this.#ready(OPENING);
  }

  /** Call a method of the scripts. Rejects with `PqError`. */
  async call({ method, args, changes, extra = 0 }: CallParams): Promise<readonly Received[]> {
    const { prefix, commandTimeout } = this.#options;
    const { connection, address } = await this.#ready(PATIENCE);
    const answer = connection.call(prefix, [method, ...args], commandTimeout + extra);
    this.#calls.add(answer);
    try {
      return await answer;
    } catch (error) {
      if (isReadOnly(error)) this.#leave(connection);
      throw callError(error, address, changes);
    } finally {
      this.#calls.delete(answer);
    }
  }

  /** Whoever waits for a connection is told that it is closed. Those that have one go on. */
  waitNoLonger(): void {
    this.#patience.abort();
  }

  /** Let calls on their way settle, say goodbye, and disconnect. Each has its deadline, so this is bounded. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.waitNoLonger();
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const { prefix, commandTimeout } = this.#options;
    await Promise.allSettled(this.#calls);
    await current.connection.call(prefix, ["bye", this.#member], commandTimeout).catch(() => undefined);
    current.connection.close();
  }

  async #ready(patience: number): Promise<Current> {
    this.#check();
    if (this.#current !== undefined) return this.#current;
    this.#connecting ??= this.#connectUntil();
    return this.#within(patience, this.#connecting);
  }

  #check(): void {
    if (this.#closed) throw closed();
  }

  async #within(ms: number, connecting: Promise<Current>): Promise<Current> {
    const over = new AbortController();
    const late = sleep(systemClock, ms, AbortSignal.any([over.signal, this.#patience.signal])).then(() => {
      if (this.#patience.signal.aborted) throw closed();
      throw this.#failure ?? new PqError("UNAVAILABLE", `cannot connect to ${this.#options.address} within ${ms} ms`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([connecting, late]);
    } finally {
      over.abort();
    }
  }

  async #connectUntil(): Promise<Current> {
    try {
      for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
        const found = await this.#connectToAny();
        if (this.#closed) found?.connection.close();
        this.#check();
        if (found !== undefined) return this.#use(found);
        await sleep(systemClock, pause);
      }
    } finally {
      this.#connecting = undefined;
    }
  }

  /** The first server that takes writes. Rejects when it is of no use to go on. */
  async #connectToAny(): Promise<Current | undefined> {
    for (const route of this.#options.routes) {
      if (this.#closed) return undefined;
      try {
        return { connection: await this.#connectTo(route), address: route.address };
      } catch (error) {
        this.#failure = connectError(error, route.address);
        if (isFatal(this.#failure) && !this.#wasUp) throw this.#failure;
      }
    }
    return undefined;
  }

  async #connectTo({ open, user, password }: Route): Promise<Connection> {
    const { prefix, leaseGrace, commandTimeout } = this.#options;
    const connection = await Connection.connect({ open, user, password, timeout: commandTimeout });
    try {
      await ensureScripts(connection, this.#options);
      await connection.call(prefix, ["hello", this.#member, leaseGrace], commandTimeout);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #use(current: Current): Current {
    this.#current = current;
    this.#failure = undefined;
    current.connection.onEnd((reason) => this.#lost(current.connection, reason.message));
    if (this.#wasUp) this.#onState(true, `connected to ${current.address} again`);
    this.#wasUp = true;
    return current;
  }

  /** The server takes no writes: go and look for another one. Calls in flight on it are told by it. */
  #leave(connection: Connection): void {
    if (this.#current?.connection !== connection) return;
    this.#lost(connection, "it takes no writes");
    // What is in flight is answered soon, with the same.
    systemClock.timer(PATIENCE, () => connection.close());
  }

  #lost(connection: Connection, why: string): void {
    if (this.#closed || this.#current?.connection !== connection) return;
    const { address } = this.#current;
    this.#current = undefined;
    this.#onState(false, `the connection to ${address} was lost: ${why}`);
    // It is made anew at once, so that what this process holds stays its own.
    this.#connecting ??= this.#connectUntil();
    this.#connecting.catch(() => undefined);
  }
}

function closed(): PqError {
  return new PqError("CLOSED", "the tarantool backend is closed");
}
