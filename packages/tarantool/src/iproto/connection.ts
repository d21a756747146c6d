/** One connection to one server. When it has ended it stays so: whoever needs another makes one. */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { systemClock, type Timer } from "@pq/core/backend";
import { type Greeting, GREETING_BYTES, parseGreeting, scramble } from "./auth.ts";
import { Call, Calls, GRACE } from "./calls.ts";
import { ConnectionLost, ServerError } from "./errors.ts";
import { Frames } from "./frames.ts";
import { Outbox } from "./outbox.ts";
import { readBody, readHeader, TYPE } from "./protocol.ts";
import { Reader } from "./reader.ts";
import type { Received, Sendable } from "./value.ts";

/** How to connect. */
export interface ConnectParams {
  /** Makes the socket: `opener(target)`, TLS, a tunnel. */
  readonly open: () => Duplex;
  /** Null: guest. */
  readonly user: string | null;
  readonly password: string | null;
  /** For connecting, the greeting and the login together, in ms. */
  readonly timeout: number;
}

/** What is asked, and how long it may take. */
interface Question {
  readonly type: number;
  readonly subject: string;
  readonly args: readonly Sendable[];
  readonly timeout: number;
  readonly keep: boolean;
}

/** The two ends of a promise. */
interface Ends {
  readonly resolve: (greeting: Greeting) => void;
  readonly reject: (error: Error) => void;
}

/** A connection. It is logged in. */
export class Connection {
  readonly #socket: Duplex;
  readonly #frames = new Frames({ first: GREETING_BYTES });
  readonly #outbox: Outbox;
  readonly #calls: Calls;
  readonly #listeners: ((reason: Error) => void)[] = [];
  #greeted: Ends | undefined;
  #server = "";
  #sync = 0;
  /** Why it ended. */
  #reason: Error | undefined;
  /** It ended because somebody closed it. */
  #closed = false;

  /** Connect and log in. Rejects with a `ServerError` when the server refuses, with a `ConnectionLost` and its cause otherwise. */
  static async connect(params: ConnectParams): Promise<Connection> {
    let connection: Connection | undefined;
    let timer: Timer | undefined;
    try {
      const made = (connection = new Connection(params.open()));
      const late = (): void => made.#end(new Error(`no connection within ${params.timeout} ms`));
      // A process that was busy first reads what has come meanwhile.
      const look = (): void => void (timer = systemClock.timer(GRACE, late, { background: true }));
      timer = systemClock.timer(params.timeout, look, { background: true });
      await made.#login(params);
      return made;
    } catch (error) {
      connection?.close();
      if (error instanceof ServerError) throw error;
      const cause = error instanceof ConnectionLost && error.cause instanceof Error ? error.cause : (error as Error);
      throw new ConnectionLost(`cannot connect: ${cause.message}`, false, cause);
    } finally {
      timer?.cancel();
    }
  }

  private constructor(socket: Duplex) {
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.#calls = new Calls((call) => this.#onLate(call));
    if (socket instanceof Socket) socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error: Error) => this.#end(error));
    socket.on("end", () => this.#end(new Error("the server closed the connection")));
    socket.on("close", () => this.#end(new Error("the connection was closed")));
  }

  /** What the server said that it is, as in "Tarantool 2.6.0 (Binary)". */
  get server(): string {
    return this.#server;
  }

  /** It has not ended. */
  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /**
   * Call a function, and resolve what it returns. Any number can be in flight. It rejects with a `ServerError` when the server says so, and with a
   * `ConnectionLost` when there is no answer: the connection ended, or `timeout` ms are over. The latter ends the connection, which is in doubt
   * then, unless `keep` says that a late answer proves nothing, as for one that the server holds back.
   */
  call(name: string, args: readonly Sendable[], timeout: number, keep = false): Promise<readonly Received[]> {
    return this.#ask({ type: TYPE.call, subject: name, args, timeout, keep });
  }

  /** Evaluate a text in Lua, and resolve what it returns; otherwise as `call`. */
  evaluate(text: string, args: readonly Sendable[], timeout: number): Promise<readonly Received[]> {
    return this.#ask({ type: TYPE.evaluate, subject: text, args, timeout, keep: false });
  }

  /** Resolve when the server has answered. */
  async ping(timeout: number): Promise<void> {
    await this.#ask({ type: TYPE.ping, subject: "", args: [], timeout, keep: false });
  }

  /** Called once when the connection has ended, with the reason; not after `close()`. */
  onEnd(listener: (reason: Error) => void): void {
    const reason = this.#reason;
    if (reason === undefined) this.#listeners.push(listener);
    else if (!this.#closed) process.nextTick(listener, reason);
  }

  /** End it now: calls in flight reject with `ConnectionLost`. */
  close(): void {
    if (this.#reason !== undefined) return;
    this.#closed = true;
    this.#end(new Error("the connection was closed"));
  }

  #ask({ type, subject, args, timeout, keep }: Question): Promise<readonly Received[]> {
    return new Promise((resolve, reject) => {
      const reason = this.#reason;
      if (reason !== undefined) throw new ConnectionLost(reason.message, false, reason);
      const sync = this.#sync + 1;
      this.#outbox.add({ type, sync, subject, args });
      this.#sync = sync;
      this.#calls.add(sync, new Call({ resolve, reject }, timeout, keep));
    });
  }

  async #login({ user, password, timeout }: ConnectParams): Promise<void> {
    const { server, salt } = await new Promise<Greeting>((resolve, reject) => (this.#greeted = { resolve, reject }));
    this.#server = server;
    // Everybody is guest at first.
    if (user === null || (user === "guest" && (password ?? "") === "")) return;
    const proof = ["chap-sha1", scramble(password ?? "", salt)];
    await this.#ask({ type: TYPE.auth, subject: user, args: proof, timeout, keep: false });
  }

  #onData(chunk: Buffer): void {
    if (this.#reason !== undefined) return;
    try {
      this.#frames.push(chunk);
      for (let packet = this.#frames.next(); packet !== undefined; packet = this.#frames.next()) this.#onPacket(packet);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #onPacket(packet: Buffer): void {
    if (this.#greeted !== undefined) {
      const greeting = parseGreeting(packet);
      this.#greeted.resolve(greeting);
      this.#greeted = undefined;
      return;
    }
    const reader = new Reader(packet);
    const header = readHeader(reader);
    if (header === undefined) return;
    // Read before its call is taken, which must not be forgotten when it cannot be read.
    const { values, error } = readBody(reader);
    const call = this.#calls.take(header.sync);
    if (header.code === 0) call?.ending.resolve(values);
    else call?.ending.reject(new ServerError(header.code, error));
  }

  #onLate({ ending, timeout, keep }: Call): void {
    const reason = new Error(`no answer within ${timeout} ms`);
    if (keep) ending.reject(new ConnectionLost(reason.message, true, reason));
    else this.#end(reason);
  }

  /** It has ended. Only the first reason counts. */
  #end(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const { sent } = this.#outbox;
    this.#outbox.close();
    this.#socket.destroy();
    this.#greeted?.reject(reason);
    this.#calls.fail((sync) => new ConnectionLost(reason.message, sync <= sent, reason));
    if (this.#closed) return;
    for (const listener of this.#listeners) listener(reason);
  }
}
