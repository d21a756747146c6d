/**
 * One server, over connections of our own: each is a client of its own, which is replaced when it is lost.
 *
 *     connecting --ready--> up --lost, or no answer in time--> down --pause--> connecting
 *         --failed--> down                                       every state --close()--> closed
 */
import { Redis, type RedisOptions as ClientOptions } from "ioredis";
import { type PqError, systemClock } from "@pq/core/backend";
import { CONNECT_TIMEOUT, ownOptions } from "./client-options.ts";
import { Bell, connect, pauseAfter, within } from "./connecting.ts";
import { connectError, isFatal } from "./errors.ts";
import { Lane } from "./lane.ts";
import { closedError, noConnection, type Route, type RouteSettings, untilFound } from "./route.ts";

/** A connection that did not last so many ms counts as a failed attempt: else a server that hangs up at once is called without a pause. */
const SHORT_LIFE = 1000;
/** A refusal is not told before so many ms: the server may be starting. */
const SOON = 1000;
/** `close` waits no longer than this for calls in flight, in ms. */
const LONGEST_FAREWELL = 5000;

/** The route to one server. */
export class Standalone implements Route {
  readonly #options: ClientOptions;
  readonly #settings: RouteSettings;
  readonly #changed = new Bell();
  #lane: Lane | undefined;
  #living: Promise<void> | undefined;
  #closing = true;
  /** Ends what the life of the connection waits for. */
  #interrupt: (() => void) | undefined;
  #why: PqError | undefined;

  constructor(options: ClientOptions, settings: RouteSettings) {
    this.#options = options;
    this.#settings = settings;
  }

  async open(ms: number): Promise<void> {
    await this.#living;
    this.#closing = false;
    this.#why = undefined;
    this.#living = this.#live();
    const hopeless = (): boolean => this.#closing || (this.#why !== undefined && isFatal(this.#why));
    await untilFound(this.#changed, SOON, () => this.#lane ?? (hopeless() ? true : undefined));
    // A server that refused until now is told with its reason: who needs it opens again. One that has not answered yet may be slow.
    await untilFound(this.#changed, ms - SOON, () => this.#lane ?? this.#why ?? (this.#closing ? true : undefined));
    if (this.#lane !== undefined) return;
    const error = this.#closing ? closedError() : noConnection(this.#settings.address, this.#why);
    await this.close();
    throw error;
  }

  lane(): Lane | undefined {
    return this.#lane?.usable === true ? this.#lane : undefined;
  }

  async laneSoon(_key: string | null, ms: number): Promise<Lane> {
    const lane = await untilFound(this.#changed, this.#closing ? 0 : ms, () => this.lane());
    if (lane === undefined) throw this.#closing ? closedError() : noConnection(this.#settings.address, this.#why);
    return lane;
  }

  async lanes(ms: number): Promise<readonly Lane[]> {
    return [await this.laneSoon(null, ms)];
  }

  async waiter(): Promise<Redis> {
    const { connectionName = "pq" } = this.#options;
    return new Redis(ownOptions(this.#options, { connectionName: `${connectionName}-wait` }));
  }

  async close(): Promise<void> {
    if (!this.#closing) await farewell(this.#lane);
    this.#closing = true;
    this.#interrupt?.();
    this.#changed.ring();
    await this.#living;
  }

  async #live(): Promise<void> {
    let failures = 0;
    while (!this.#closing) {
      const began = systemClock.monotonic();
      const lived = await this.#once();
      const long = lived && systemClock.monotonic() - began >= SHORT_LIFE;
      failures = long ? 0 : failures + 1;
      // Nobody else rings while there is no connection.
      if (!this.#closing) await this.#changed.wait(pauseAfter(failures));
    }
  }

  /** One connection from its beginning to its end. Was there one? */
  async #once(): Promise<boolean> {
    const { address } = this.#settings;
    const client = new Redis(ownOptions(this.#options));
    try {
      const connecting = connect(client, address, this.#options.connectTimeout ?? CONNECT_TIMEOUT);
      await new Promise<void>((resolve, reject) => {
        this.#interrupt = resolve;
        connecting.then(resolve, reject);
      });
      if (!this.#closing) await this.#use(client);
      return true;
    } catch (error) {
      this.#why = connectError(error, address);
      this.#changed.ring();
      return false;
    } finally {
      client.disconnect();
    }
  }

  async #use(client: Redis): Promise<void> {
    const { address, commandTimeout, onState } = this.#settings;
    let message = `the connection to ${address} was lost`;
    await new Promise<void>((resolve) => {
      const lane = new Lane(client, address, commandTimeout, () => {
        message = `${address} gave no answer in time`;
        resolve();
      });
      client.once("close", resolve);
      this.#interrupt = resolve;
      this.#lane = lane;
      this.#why = undefined;
      onState(true, `connected to ${address}`);
      this.#changed.ring();
      // It may have been lost before anybody listened.
      if (!lane.usable) resolve();
    });
    this.#lane?.stop(message);
    this.#lane = undefined;
    if (!this.#closing) onState(false, message);
  }
}

/** Let what is in flight on a lane end, for a bounded time. */
export async function farewell(lane: Lane | undefined): Promise<void> {
  if (lane === undefined) return;
  // A lane that does not become idle is disconnected with its calls, which end as of unknown outcome.
  await within(LONGEST_FAREWELL, lane.idle(), closedError).catch(() => undefined);
}
