/**
 * The connection to the store: every call settles by its own deadline as done, `UNAVAILABLE` (certainly not applied) or
 * `OUTCOME_UNKNOWN`, whatever the client library does.
 *
 * A call goes out at once when there is a connection (concurrent calls are pipelined), waits for one for a moment when there is none,
 * and is never sent twice, but for a script that the server did not know. Connecting again goes on for ever by itself.
 */
import { PqError } from "@pq/core/backend";
import { type Blocking, BlockingConnection } from "./blocking.ts";
import { Borrowed } from "./borrowed.ts";
import { Clustered } from "./clustered.ts";
import { within } from "./connecting.ts";
import type { Confirmation } from "./confirmation.ts";
import { wordOf } from "./errors.ts";
import type { Argument, Lane } from "./lane.ts";
import type { ResolvedOptions } from "./options.ts";
import { closedError, type OnState, type Route } from "./route.ts";
import type { Script } from "./scripts/script.ts";
import { readServer, type ServerInfo } from "./server-info.ts";
import { Standalone } from "./standalone.ts";

/** How long opening may take, and how long a call waits for a connection that is away, in ms. */
const OPENING = 10_000;
const PATIENCE = 1000;
/** `close` waits no longer than this for calls that are on their way to a connection, or wait for a confirmation, in ms. */
const FAREWELL = 5000;

/** The connection of one backend. */
export interface Connection {
  /** For messages: where the server is, without secrets. */
  readonly address: string;
  /** Connect. Rejects with `UNAVAILABLE` within 10 s, sooner when the server is known to refuse, at once when the login is wrong. Works again after `close`. */
  open(): Promise<void>;
  /**
   * Run a script: a reply of Buffers, numbers, arrays and `null`. The first key decides about the server, so in a cluster all keys
   * have one hash tag. With a confirmation set, a script that is not `readOnly` resolves only once it is confirmed.
   */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
  /** Any other command that does not block; on the server of `key`, or any that takes writes. */
  command(key: string | null, name: string, ...args: readonly Argument[]): Promise<unknown>;
  /** What the server says about itself; in a cluster, each node that takes writes. */
  servers(): Promise<readonly ServerInfo[]>;
  /** From now on scripts wait for this; `undefined`: for nothing. */
  confirmBy(confirmation: Confirmation | undefined): void;
  /** A further connection, which may block. Closed by `close` at the latest. */
  blocking(): Blocking;
  /** Called when the connection goes, and when it is back. Not for the first time it comes. */
  onState(listener: OnState): void;
  /** Calls in flight end, for at most 10 s; then what is ours is disconnected. Idempotent. */
  close(): Promise<void>;
}

/** The connection that the options ask for. Nothing happens before `open`. */
export function connection(options: ResolvedOptions): Connection {
  return new RedisConnection(options);
}

class RedisConnection implements Connection {
  readonly address: string;
  readonly #route: Route;
  readonly #grace: number;
  readonly #listeners: OnState[] = [];
  readonly #blocking = new Set<Blocking>();
  #confirmation: Confirmation | undefined;
  #open = false;
  /** Calls that wait for a lane or a confirmation, so no lane knows of them. */
  readonly #careful = new Set<Promise<unknown>>();

  constructor(options: ResolvedOptions) {
    this.address = options.address;
    this.#grace = options.commandTimeout;
    this.#route = routeOf(options, (up, message) => this.#report(up, message));
  }

  async open(): Promise<void> {
    if (this.#open) return;
    await this.#route.open(OPENING);
    this.#open = true;
  }

  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (!this.#open) return Promise.reject(closedError());
    const lane = this.#route.lane(keys[0] ?? null);
    const simple = this.#confirmation === undefined && this.#route.detour === undefined;
    if (lane !== undefined && simple) return lane.run(script, keys, args);
    return this.#track(this.#runCarefully(script, keys, args));
  }

  command(key: string | null, name: string, ...args: readonly Argument[]): Promise<unknown> {
    if (!this.#open) return Promise.reject(closedError());
    return this.#track(this.#follow(key, (lane) => lane.command(name, args)).then(({ reply }) => reply));
  }

  async servers(): Promise<readonly ServerInfo[]> {
    if (!this.#open) throw closedError();
    const lanes = await this.#route.lanes(PATIENCE);
    return Promise.all(lanes.map(readServer));
  }

  confirmBy(confirmation: Confirmation | undefined): void {
    this.#confirmation = confirmation;
  }

  blocking(): Blocking {
    const { address } = this;
    const onClose = (closed: Blocking): void => void this.#blocking.delete(closed);
    const made = new BlockingConnection({ route: this.#route, address, grace: this.#grace, onClose });
    this.#blocking.add(made);
    return made;
  }

  onState(listener: OnState): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#open = false;
    for (const each of this.#blocking) each.close();
    await within(FAREWELL, Promise.allSettled(this.#careful), closedError).catch(() => undefined);
    await this.#route.close();
  }

  async #runCarefully(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const { lane, reply } = await this.#follow(keys[0] ?? null, (lane) => lane.run(script, keys, args));
    if (this.#confirmation === undefined || script.readOnly) return reply;
    if (lane === this.#route.detour?.()) {
      // Nobody says which node it was in the end, and another one's confirmation means nothing.
      throw new PqError(
        "OUTCOME_UNKNOWN",
        `${this.address}: applied, but not confirmed: the cluster has moved the keys`,
      );
    }
    await lane.confirm(this.#confirmation);
    return reply;
  }

  /** Call, on the lane of the key, and by the detour when the server names another one: then it ran nothing. */
  async #follow(
    key: string | null,
    call: (lane: Lane) => Promise<unknown>,
  ): Promise<{ readonly lane: Lane; readonly reply: unknown }> {
    // Without awaiting when there is a lane: calls made in one turn go out in one piece.
    const lane = this.#route.lane(key) ?? (await this.#route.laneSoon(key, PATIENCE));
    try {
      return { lane, reply: await call(lane) };
    } catch (error) {
      const detour = this.#route.detour?.();
      const word = wordOf(error);
      if (detour === undefined || (word !== "MOVED" && word !== "ASK")) throw error;
      return { lane: detour, reply: await call(detour) };
    }
  }

  async #track<T>(call: Promise<T>): Promise<T> {
    this.#careful.add(call);
    try {
      return await call;
    } finally {
      this.#careful.delete(call);
    }
  }

  #report(up: boolean, message: string): void {
    if (this.#open) for (const listener of this.#listeners) listener(up, message);
  }
}

function routeOf({ target, address, commandTimeout }: ResolvedOptions, onState: OnState): Route {
  const settings = { address, commandTimeout, onState };
  switch (target.kind) {
    case "single":
      return new Standalone(target.options, settings);
    case "borrowed":
      return new Borrowed(target.client, settings);
    case "cluster":
    case "borrowed-cluster":
      return new Clustered(target, settings);
  }
}
