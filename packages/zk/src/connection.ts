/**
 * One connection of a session: a native client from its beginning to the first loss. It is not let mend itself: it does that in a way that can end
 * the process (`zk-client.ts` tells how). Another connection, with a native client of its own, goes on with the session.
 */
import type { Clock } from "@pq/core/backend";
import { giveWay } from "@pq/core/state";
import { withAddresses } from "./hosts.ts";
import { CONNECTED, type NativeClient, type NativeEvent, newNativeClient } from "./native.ts";
import type { ResolvedOptions } from "./options.ts";

/** The session's limit of a borrowed client whose agreed one is not known yet, in ms. */
const USUAL_TIMEOUT = 10_000;

/** A session that another connection can go on with. */
export interface HeldSession {
  readonly member: string;
  readonly id: string;
  readonly password: string;
  /** How long it lasts without a connection, in ms. */
  readonly timeout: number;
  /** When the servers were last heard of, by the monotonic clock. */
  heard: number;
}

const EVENTS: readonly NativeEvent[] = ["connect", "connecting", "close", "created", "deleted", "changed", "child"];

/** One connection: a native client, made or borrowed, that is up, down or over. */
export class Connection {
  readonly native: NativeClient;
  onFired: (path: string) => void = () => undefined;
  readonly #borrowed: boolean;
  readonly #clock: Clock;
  readonly #listeners = new Map<NativeEvent, (subject: unknown, path: unknown) => void>();
  readonly #limit: number;
  readonly #target: ResolvedOptions["target"];
  readonly #held: HeldSession | null;
  #state: "new" | "up" | "down" | "over" = "new";
  #changed: () => void = () => undefined;

  /** With `held`, the connection is to go on with that session. */
  constructor({ target }: ResolvedOptions, clock: Clock, held: HeldSession | null) {
    this.#clock = clock;
    this.#borrowed = target.kind === "borrowed";
    this.#limit = held?.timeout ?? (target.kind === "own" ? target.sessionTimeout : USUAL_TIMEOUT);
    this.native = target.kind === "borrowed" ? target.client : newNativeClient();
    for (const event of EVENTS) {
      const listener = (_client: unknown, detail: unknown): void => this.#heard(event, detail);
      this.#listeners.set(event, listener);
      this.native.on(event, listener);
    }
    this.#target = target;
    this.#held = held;
  }

  /** The session is over, and with it all connections that could go on with it. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  /** What another connection needs to go on with this session. */
  identity(): Pick<HeldSession, "id" | "password" | "timeout"> {
    const { client_id: id, client_password: password, timeout } = this.native;
    return { id, password, timeout };
  }

  /**
   * Resolves once it is up. Rejects when it is not within `ms`, or half of the time that a session lasts, and when aborted. Names of hosts are looked up here: the
   * native client would do it again at each turn of the event loop, which it stops meanwhile.
   */
  async connect(signal: AbortSignal, ms: number = Infinity): Promise<void> {
    if (this.#target.kind === "own") await this.#begin(this.#target);
    else if (this.native.state === CONNECTED) this.#state = "up";
    const end = this.#clock.monotonic() + Math.min(ms, this.#limit / 2);
    while (!signal.aborted && this.#state === "new") {
      const left = end - this.#clock.monotonic();
      if (left <= 0) break;
      await this.#change(left, signal);
    }
    if (this.#state === "over") throw new Error("the session expired, or the login was refused");
    if (this.#state !== "up" || signal.aborted) throw new Error("no server answers");
  }

  async #begin({ hosts, sessionTimeout }: Extract<ResolvedOptions["target"], { kind: "own" }>): Promise<void> {
    const held = this.#held;
    this.native.init({
      connect: await withAddresses(hosts),
      timeout: sessionTimeout,
      // No lines on the standard error of the process: events tell of what goes wrong.
      debug_level: 0,
      host_order_deterministic: false,
      // The client would give up a good connection that brings a long answer in many pieces.
      response_counter_limit: 2 ** 31 - 1,
      ...(held === null ? {} : { client_id: held.id, client_password: held.password }),
    });
    // Then it has failed, and does nothing more.
    if (this.native.state === 0) throw new Error("no server can be reached");
  }

  /** Resolves once it is not up any more, or when aborted. */
  async lost(signal: AbortSignal): Promise<void> {
    while (this.#state === "up" && !signal.aborted) await this.#change(USUAL_TIMEOUT, signal);
  }

  /** The connection is lost: it is not to mend itself, since the native client does that in a way that can end the process. */
  drop(): void {
    this.#become("down");
    if (!this.#borrowed) this.native.close();
  }

  /** Hear no more, and end a client that is ours. */
  async leave(): Promise<void> {
    await giveWay();
    for (const [event, listener] of this.#listeners) this.native.off(event, listener);
    if (!this.#borrowed) this.native.close();
  }

  #heard(event: NativeEvent, detail: unknown): void {
    if (event === "connect") this.#become("up");
    else if (event === "connecting") {
      if (this.#state === "up") this.drop();
    } else if (event === "close") this.#become(detail === 0 ? "down" : "over");
    else if (typeof detail === "string") this.onFired(detail);
  }

  #become(state: "up" | "down" | "over"): void {
    if (this.#state === "over") return;
    this.#state = state;
    this.#changed();
  }

  /** Resolves at the next change, after `ms`, or when aborted. */
  #change(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = this.#clock.timer(ms, finish, { background: true });
      signal.addEventListener("abort", finish, { once: true });
      this.#changed = finish;
    });
  }
}
