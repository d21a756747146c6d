/**
 * The connection to the store, over a client of the driver that is made here or borrowed.
 *
 * The driver finds servers again by itself. What it does not do is end each command in time, so calls are made by `call.ts`.
 */
import { type Db, type Document, MongoClient, type TopologyDescriptionChangedEvent } from "mongodb";
import { PqError, sleep, systemClock } from "@pq/core/backend";
import { Call, type CallContext } from "./call.ts";
import { collectionOptions } from "./client-options.ts";
import { connectError, isFatal } from "./errors.ts";
import type { ResolvedOptions } from "./options.ts";
import { type Collections, collections } from "./schema.ts";
import { Flights, within } from "./flights.ts";

/** How long opening may take, and the pause between its attempts, in ms. */
const OPENING = 10_000;
const PAUSE = 100;
/** `close` waits no longer than this for calls in flight, and then for the driver, in ms. */
const FAREWELL = 5000;

/** Servers that take writes. */
const WRITABLE: ReadonlySet<string> = new Set(["Standalone", "RSPrimary", "Mongos", "LoadBalancer"]);

/** Called when the connection goes (`false`), and when it is back. */
export type OnState = (up: boolean, message: string) => void;

/** What there is while it is open. */
interface Opened {
  readonly client: MongoClient;
  readonly db: Db;
  readonly collections: Collections;
}

/** The connection of one backend. */
export class Connection {
  /** For messages: where the server is, without secrets. */
  readonly address: string;
  readonly #options: ResolvedOptions;
  readonly #context: CallContext;
  readonly #flights = new Flights();
  readonly #listeners: OnState[] = [];
  #opened: Opened | undefined;
  #closing = false;
  #up = false;

  /** Nothing happens before `open`. */
  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.address = options.address;
    this.#context = {
      address: options.address,
      timeout: options.commandTimeout,
      repeats: options.target.kind === "borrowed" && options.target.client.options.retryWrites,
      collections: () => this.#get().collections,
      begin: () => this.#flights.begin(),
    };
  }

  /**
   * Connect. Rejects with `UNAVAILABLE` within 10 s, at once when the login is wrong, and with `UNSUPPORTED` for a server that is too old
   * for the driver. Works again after `close`.
   */
  async open(): Promise<void> {
    if (this.#opened !== undefined) return;
    const { target, db: name, collection, commandTimeout } = this.#options;
    const client = target.kind === "own" ? new MongoClient(target.url, target.options) : target.client;
    client.on("topologyDescriptionChanged", this.#onTopology);
    try {
      await this.#connect(client);
    } catch (error) {
      await this.#leave(client);
      throw connectError(error, this.address);
    }
    const settings = collectionOptions(commandTimeout);
    const db = client.db(name);
    this.#opened = { client, db, collections: collections(db, collection, settings) };
    this.#closing = false;
    this.#up = true;
  }

  /**
   * A call: `write` for one that changes something for its caller. One that only reads is never of unknown outcome; its writes, if it has
   * any, are such as anybody may make at any time. Throws `CLOSED`.
   */
  call(kind: "read" | "write" = "write"): Call {
    if (this.#opened === undefined || this.#closing) throw closedError();
    return new Call(this.#context, kind === "read");
  }

  /** The answer to a command of the database `admin` that changes nothing. Rejects as a call does. */
  async ask(command: Document): Promise<Document> {
    const { client } = this.#get();
    return this.call("read").read(() => client.db("admin").command(command, { readPreference: "primary" }));
  }

  /** Called when the connection goes, and when it is back. Not for the first time it comes. */
  onState(listener: OnState): void {
    this.#listeners.push(listener);
  }

  /** Calls in flight end, for at most 5 s; then the client is closed, if it is ours. Idempotent. */
  async close(): Promise<void> {
    if (this.#opened === undefined || this.#closing) return;
    this.#closing = true;
    await within(FAREWELL, this.#flights.landed());
    const { client } = this.#opened;
    this.#opened = undefined;
    await this.#leave(client);
  }

  #get(): Opened {
    if (this.#opened === undefined) throw closedError();
    return this.#opened;
  }

  /** Until the server answers. What a borrowed client does when nothing is there is its owner's choice, but not for how long. */
  async #connect(client: MongoClient): Promise<void> {
    const end = systemClock.monotonic() + OPENING;
    let reason: unknown = new PqError("UNAVAILABLE", `no answer from ${this.address} within ${OPENING} ms`);
    for (let first = true; systemClock.monotonic() < end; first = false) {
      try {
        if ((await within(end - systemClock.monotonic(), greet(client, first))) !== undefined) return;
      } catch (error) {
        if (isFatal(error)) throw error;
        reason = error;
        await sleep(systemClock, PAUSE);
      }
    }
    throw reason;
  }

  async #leave(client: MongoClient): Promise<void> {
    client.off("topologyDescriptionChanged", this.#onTopology);
    this.#up = false;
    if (this.#options.target.kind === "own") await within(FAREWELL, client.close()).catch(() => undefined);
  }

  readonly #onTopology = ({ newDescription }: TopologyDescriptionChangedEvent): void => {
    const up = [...newDescription.servers.values()].some(({ type }) => WRITABLE.has(type));
    if (this.#opened === undefined || this.#closing || up === this.#up) return;
    this.#up = up;
    const message = up ? `connected to ${this.address}` : `the connection to ${this.address} was lost`;
    for (const listener of this.#listeners) listener(up, message);
  };
}

/** A client connects by its first command, unless its owner has closed it; after a failure it must be told to. */
async function greet(client: MongoClient, first: boolean): Promise<Document> {
  if (!first) await client.connect();
  return client.db("admin").command({ ping: 1 });
}

function closedError(): PqError {
  return new PqError("CLOSED", "the mongo backend is closed");
}
