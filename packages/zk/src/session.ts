/**
 * The session with ZooKeeper. A session outlives its connections, up to a time limit; when it is over, a new one is opened, with a native
 * client of its own, and with a new member: an ephemeral node by which all others see that this process is there. What a member
 * has leased is given back when its node is gone.
 *
 * A process that is cut off cannot know whether its session is over. So it counts as over once nothing was heard for the agreed time by the
 * process's own clock, and is never used again: what it held is lost, whatever the servers think.
 */
import { type Clock, newRequestId, PqError, sleep } from "@pq/core/backend";
import { Connection, type HeldSession } from "./connection.ts";
import { isFatal, reasonFor } from "./errors.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Paths } from "./paths.ts";
import { EPHEMERAL, PERSISTENT, ZkClient } from "./zk-client.ts";
import { isZkError, ZK_CODES, ZkError } from "./zk-error.ts";

/** How long opening may take, and the pause before each new connection, in ms. */
const OPENING = 10_000;
const PAUSE = 50;
/** How long a connection may take at first, in ms; twice as long after each that came to nothing. Once all servers have refused it, the native client rests for a third of the session's time. */
const PATIENCE = 500;
const MOST_PATIENCE = 4000;
const NO_DATA: Buffer = Buffer.alloc(0);

/** What a session tells. */
export interface SessionEvents {
  /** The connection was lost. */
  down(message: string): void;
  /** It is back, with the same member, or with a new one. `lost`: the member that is no more. */
  up(message: string, lost: string | null): void;
  /** A watch fired. */
  fired(path: string): void;
}

/** A session that is in use. */
interface Active {
  readonly zk: ZkClient;
  readonly member: string;
}

/** A connection in use. */
interface Serving {
  readonly zk: ZkClient;
  readonly held: HeldSession;
  readonly line: Connection;
}

/** The session of one backend. */
export class Session {
  readonly #options: ResolvedOptions;
  readonly #paths: Paths;
  readonly #clock: Clock;
  readonly #events: SessionEvents;
  /** What goes on between `open` and `close`. */
  #run: { readonly over: AbortController; readonly done: Promise<void> } | undefined;
  #active: Active | undefined;
  #connected = false;
  /** The member of the session before, until the next one tells. */
  #lost: string | null = null;
  /** When the session is over unless the servers are heard of again, by the monotonic clock. */
  #end = Infinity;
  #why = "not opened";
  #onOpened: () => void = () => undefined;

  constructor(options: ResolvedOptions, paths: Paths, clock: Clock, events: SessionEvents) {
    this.#options = options;
    this.#paths = paths;
    this.#clock = clock;
    this.#events = events;
  }

  /** The client of the session, when it is connected. Throws `UNAVAILABLE`, and `CLOSED` when it was closed. */
  use(): ZkClient {
    if (this.#run === undefined) throw new PqError("CLOSED", "the zk backend is closed");
    if (this.#active === undefined || !this.#connected) {
      throw new PqError("UNAVAILABLE", `not connected to ZooKeeper at ${this.#options.address}: ${this.#why}`);
    }
    return this.#active.zk;
  }

  /** Who takes part as long as this session lasts. Throws as `use` does. */
  get member(): string {
    this.use();
    return this.#active?.member ?? "";
  }

  /** Is the session over, by this process's own clock, and no other there yet? Then all that it held is lost. */
  get isOver(): boolean {
    return this.#run !== undefined && !this.#connected && this.#clock.monotonic() > this.#end;
  }

  /** Connect, and keep connected until `close`. Rejects with `UNAVAILABLE` when that took more than 10 s. */
  async open(): Promise<void> {
    if (this.#run !== undefined) return;
    const over = new AbortController();
    const late = new AbortController();
    const opened = new Promise<void>((resolve) => {
      this.#onOpened = resolve;
      this.#run = { over, done: this.#keep(over.signal) };
    });
    await Promise.race([opened, sleep(this.#clock, OPENING, AbortSignal.any([late.signal, over.signal]))]);
    late.abort();
    if (over.signal.aborted) throw new PqError("CLOSED", "the zk backend was closed while it opened");
    if (this.#active !== undefined) return;
    const why = this.#why;
    await this.close();
    throw new PqError("UNAVAILABLE", `cannot connect to ZooKeeper at ${this.#options.address}: ${why}`);
  }

  /** End the session. Idempotent. */
  async close(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    const active = this.#active;
    // The end of the session does it too, but that of a borrowed client goes on.
    if (active !== undefined && this.#connected) {
      await active.zk.delete(this.#paths.member(active.member)).catch(() => false);
    }
    run.over.abort();
    await run.done;
  }

  /** One connection after the other, of one session after the other. */
  async #keep(signal: AbortSignal): Promise<void> {
    let held: HeldSession | null = null;
    let patience = PATIENCE;
    while (!signal.aborted) {
      const line: Connection = new Connection(this.#options, this.#clock, held);
      const zk = new ZkClient(line.native, this.#clock, this.#options.commandTimeout, () => line.drop());
      line.onFired = (path) => this.#events.fired(path);
      try {
        await line.connect(signal, patience);
        patience = PATIENCE;
        held = await this.#join(zk, line, held);
        await this.#serve({ zk, held, line }, signal);
      } catch (error) {
        this.#why = reasonFor(error);
        patience = Math.min(2 * patience, MOST_PATIENCE);
        // Whoever opens need not wait for what will not come.
        if (isFatal(error)) this.#onOpened();
      }
      zk.abandon();
      await line.leave();
      if (held !== null && !signal.aborted && (line.isOver || this.#clock.monotonic() > held.heard + held.timeout)) {
        this.#lost = held.member;
        this.#active = undefined;
        held = null;
      }
      await sleep(this.#clock, PAUSE, signal);
    }
    this.#active = undefined;
  }

  /** While the connection is there. */
  async #serve({ zk, held, line }: Serving, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { address } = this.#options;
    this.#active = { zk, member: held.member };
    this.#connected = true;
    this.#onOpened();
    this.#events.up(`connected to ZooKeeper at ${address}`, this.#takeLost());
    await line.lost(signal);
    // A connection that says nothing is given up after two thirds of the session's time.
    held.heard = Math.max(zk.heard, this.#clock.monotonic() - (held.timeout * 2) / 3);
    this.#end = line.isOver ? 0 : held.heard + held.timeout;
    this.#connected = false;
    this.#why = line.isOver ? "the session expired" : "the connection was lost";
    if (!signal.aborted) this.#events.down(`ZooKeeper at ${address}: ${this.#why}`);
  }

  #takeLost(): string | null {
    const lost = this.#lost;
    this.#lost = null;
    return lost;
  }

  /** Log in, and for a new session make the nodes that must be there. */
  async #join(zk: ZkClient, line: Connection, held: HeldSession | null): Promise<HeldSession> {
    const { credentials } = this.#options;
    if (credentials !== null) await zk.login(credentials);
    if (held !== null) return held;
    const restricted = credentials !== null;
    const { root, members, names, queues } = this.#paths;
    const parents = root.split("/").slice(1);
    try {
      for (let depth = 1; depth < parents.length; depth++) await ensure(zk, `/${parents.slice(0, depth).join("/")}`);
      for (const path of [root, members, names, queues]) await ensure(zk, path, restricted);
    } catch (error) {
      // Everything else was made here: it can only be what the client puts before all paths.
      throw isZkError(error, ZK_CODES.noNode) ? new ZkError(ZK_CODES.noChroot, "connect") : error;
    }
    const member = newRequestId();
    const path = this.#paths.member(member);
    await zk.create(path, NO_DATA, EPHEMERAL);
    if (restricted) await zk.setAccess(path);
    return { member, ...line.identity(), heard: this.#clock.monotonic() };
  }
}

/** Create a node, if it is not there. With `restricted`, for those alone who are logged in. */
export async function ensure(zk: ZkClient, path: string, restricted = false): Promise<void> {
  try {
    await zk.create(path, NO_DATA, PERSISTENT);
  } catch (error) {
    if (!isZkError(error, ZK_CODES.nodeExists)) throw error;
  }
  // Also when it was there: whoever made it may have died before this.
  if (restricted) await zk.setAccess(path);
}
