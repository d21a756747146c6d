/** One server, over a client that somebody else made and closes. It connects again by itself, or not: that is its owner's choice. */
import type { Redis } from "ioredis";
import { PqError } from "@pq/core/backend";
import { DUPLICATE } from "./client-options.ts";
import { Bell } from "./connecting.ts";
import { Lane } from "./lane.ts";
import { closedError, type Route, type RouteSettings, untilFound } from "./route.ts";
import { farewell } from "./standalone.ts";

/** The route over a borrowed client. */
export class Borrowed implements Route {
  readonly #client: Redis;
  readonly #settings: RouteSettings;
  readonly #changed = new Bell();
  #lane: Lane | undefined;
  #open = false;

  constructor(client: Redis, settings: RouteSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  async open(ms: number): Promise<void> {
    if (!this.#open) this.#listen();
    this.#open = true;
    if (this.#client.status === "wait") this.#client.connect().catch(() => undefined);
    const lane = await untilFound(this.#changed, ms, () => {
      if (!this.#open) throw closedError();
      if (this.#client.status === "end") throw this.#noConnection();
      return this.lane();
    }).catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
    if (lane !== undefined) return;
    await this.close();
    throw this.#noConnection();
  }

  lane(): Lane | undefined {
    return this.#lane?.usable === true ? this.#lane : undefined;
  }

  async laneSoon(_key: string | null, ms: number): Promise<Lane> {
    const waits = this.#open && this.#client.status !== "end";
    const lane = await untilFound(this.#changed, waits ? ms : 0, () => this.lane());
    if (lane === undefined) throw this.#open ? this.#noConnection() : closedError();
    return lane;
  }

  async lanes(ms: number): Promise<readonly Lane[]> {
    return [await this.laneSoon(null, ms)];
  }

  async waiter(): Promise<Redis> {
    return this.#client.duplicate(DUPLICATE);
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    await farewell(this.#lane);
    this.#open = false;
    this.#client.off("ready", this.#onReady).off("close", this.#onClose).off("end", this.#onClose);
    this.#client.setMaxListeners(Math.max(0, this.#client.getMaxListeners() - 1));
    this.#lane?.stop("the connection was closed");
    this.#lane = undefined;
    this.#changed.ring();
  }

  #listen(): void {
    // Many queues may share a client: each counts as one who listens, not as a leak.
    this.#client.setMaxListeners(this.#client.getMaxListeners() + 1);
    this.#client.on("ready", this.#onReady).on("close", this.#onClose).on("end", this.#onClose);
    if (this.#client.status === "ready") this.#onReady();
  }

  readonly #onReady = (): void => {
    const { address, commandTimeout, onState } = this.#settings;
    this.#lane?.stop(`the connection to ${address} was lost`);
    this.#lane = new Lane(this.#client, address, commandTimeout, () => {
      // Its socket may be dead without knowing it. The client connects again as its owner has told it to.
      this.#lane = undefined;
      this.#client.disconnect(true);
      onState(false, `${address} gave no answer in time`);
    });
    onState(true, `connected to ${address}`);
    this.#changed.ring();
  };

  readonly #onClose = (): void => {
    const { address, onState } = this.#settings;
    if (this.#lane !== undefined) {
      const message = `the connection to ${address} was lost`;
      this.#lane.stop(message);
      this.#lane = undefined;
      onState(false, message);
    }
    this.#changed.ring();
  };

  #noConnection(): PqError {
    const { address } = this.#settings;
    const { status } = this.#client;
    const why =
      status === "end"
        ? "it is closed, or has given up: connect it, or give redis() a new one"
        : `it is in state "${status}"`;
    return new PqError("UNAVAILABLE", `the borrowed client has no connection to ${address}: ${why}`);
  }
}
