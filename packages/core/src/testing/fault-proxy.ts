/**
 * A TCP proxy that goes wrong on demand, for tests of a backend whose store is a server.
 *
 * Each client has a link: its own connection to the proxy and one from there to the server. A link is
 * - `forwarding` at first: what one side sends goes to the other, after the delay and in slices if these are set;
 * - `swallowing` once a lost reply hit it: requests still go to the server, answers go nowhere, and when the server
 *   has answered and then been silent for a moment, the link is cut. The silence lets the server finish what else was
 *   sent over the same connection;
 * - cut: both sides are reset (RST, where the platform can), and what was on its way is gone.
 *
 * A loss that was armed hits the next chunk of bytes from any client that `isRequest` takes for a request. A lost
 * request is not forwarded and cuts its link at once.
 *
 * While the proxy is half-open, it drops what arrives on either side and hides that a side has closed. When it
 * heals, all links are cut, since their streams have holes. While it refuses, it resets new clients at once.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { sleep, systemClock, type Timer } from "../clock.ts";
import type { Faults } from "./harness.ts";

/** Where the server is, and what the proxy should know about its protocol. */
export interface FaultProxyOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly port: number;
  /**
   * May these bytes, as they came from a client, be lost? Default: always. Say `false` for what no call of the seam sends:
   * greetings, heartbeats, and the blocking command of `wait`.
   */
  readonly isRequest?: (bytes: Uint8Array) => boolean;
  /** How long a server must be silent, in ms, after the answer that was swallowed, before the link is cut. Default 20. */
  readonly quiet?: number;
}

/** What went through a proxy. */
export interface FaultProxyStatistics {
  /** Clients accepted since it listens, without those refused. */
  readonly connections: number;
  /** Clients connected now. */
  readonly open: number;
  /** Bytes forwarded. */
  readonly bytesToServer: number;
  readonly bytesToClients: number;
}

/** How many slices of a chunk are kept apart by a millisecond, so that they do arrive apart. More would make large payloads take minutes. */
const DRIPS = 64;

/** What all links share. */
interface Wire {
  readonly isRequest: (bytes: Uint8Array) => boolean;
  readonly quiet: number;
  /** The losses still to come, the next one first. */
  readonly losses: ("reply" | "request")[];
  halfOpen: boolean;
  delay: number;
  slice: number;
  bytesToServer: number;
  bytesToClients: number;
}

/**
 * The proxy. Each test store needs one of its own, or faults would hit other stores.
 *
 * @example
 * const proxy = await FaultProxy.listen({ port: 6379 });
 * const backend = redis({ host: proxy.host, port: proxy.port });
 * proxy.loseReply();
 */
export class FaultProxy implements Faults, AsyncDisposable {
  /** Where clients connect: always loopback. */
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #server: Server;
  readonly #wire: Wire;
  readonly #links = new Set<Link>();
  #connections = 0;
  #refusing = false;

  /** Starts a proxy on a free port. */
  static async listen(options: FaultProxyOptions): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server, options);
  }

  private constructor(
    server: Server,
    { host = "127.0.0.1", port, isRequest = () => true, quiet = 20 }: FaultProxyOptions,
  ) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.#wire = {
      isRequest,
      quiet,
      losses: [],
      halfOpen: false,
      delay: 0,
      slice: Infinity,
      bytesToServer: 0,
      bytesToClients: 0,
    };
    server.on("connection", (client) => this.#accept(client, host, port));
  }

  #accept(client: Socket, host: string, port: number): void {
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    this.#connections++;
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const link = new Link(this.#wire, client, server, () => this.#links.delete(link));
    this.#links.add(link);
  }

  /** The next request is applied, its answer swallowed, and its link cut. Called n times, it hits the next n requests. */
  loseReply(): void {
    this.#wire.losses.push("reply");
  }

  /** The next request does not reach the server, and its link is cut. Called n times, it hits the next n requests. */
  loseRequest(): void {
    this.#wire.losses.push("request");
  }

  /** Cut all links now. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Let nothing pass, and tell nobody, until the returned function is called: it cuts all links. */
  halfOpen(): () => void {
    this.#wire.halfOpen = true;
    return () => {
      if (!this.#wire.halfOpen) return;
      this.#wire.halfOpen = false;
      this.cut();
    };
  }

  /** Reset new clients until the returned function is called. Links that are there stay. */
  refuse(): () => void {
    this.#refusing = true;
    return () => void (this.#refusing = false);
  }

  /** From now on, forward everything so many milliseconds late, in both directions. 0: no longer. */
  delay(ms: number): void {
    this.#wire.delay = ms;
  }

  /** From now on, forward in pieces of so many bytes, in both directions. `Infinity`: no longer. Of each chunk, the first pieces surely arrive apart. */
  slice(size: number = 1): void {
    if (!(size >= 1)) throw new RangeError("a slice has at least 1 byte");
    this.#wire.slice = size;
  }

  /** What went through so far. */
  statistics(): FaultProxyStatistics {
    const { bytesToServer, bytesToClients } = this.#wire;
    return { connections: this.#connections, open: this.#links.size, bytesToServer, bytesToClients };
  }

  /** The faults for a test store: those of the proxy, and those that only a harness can cause because it owns the server. */
  faults(own: Pick<Faults, "pause" | "restart"> = {}): Faults {
    return {
      loseReply: () => this.loseReply(),
      loseRequest: () => this.loseRequest(),
      cut: () => this.cut(),
      halfOpen: () => this.halfOpen(),
      ...own,
    };
  }

  /** Cut all links and stop listening. */
  async close(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A client and its connection to the server. */
class Link {
  readonly #wire: Wire;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #onCut: () => void;
  #swallowing = false;
  #silence: Timer | undefined;

  constructor(wire: Wire, client: Socket, server: Socket, onCut: () => void) {
    this.#wire = wire;
    this.#client = client;
    this.#server = server;
    this.#onCut = onCut;
    this.#pump(client, server, (bytes) => this.#passRequest(bytes));
    this.#pump(server, client, (bytes) => this.#passAnswer(bytes));
  }

  cut(): void {
    this.#silence?.cancel();
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.#onCut();
  }

  /** Forward what comes from one side, as far as `pass` lets it, in its order. */
  #pump(from: Socket, to: Socket, pass: (bytes: Buffer) => boolean): void {
    let sent: Promise<void> = Promise.resolve();
    from.on("data", (bytes) => {
      if (!this.#wire.halfOpen && pass(bytes)) sent = this.#send(to, bytes, Promise.all([sent, this.#late()]));
    });
    from.on("end", () => {
      if (!this.#wire.halfOpen) sent = sent.then(() => void to.end());
    });
    from.on("error", () => undefined); // `close` follows
    from.on("close", () => {
      if (this.#wire.halfOpen) return;
      if (from.errored !== null || to.closed) this.cut();
    });
  }

  #late(): Promise<void> {
    return this.#wire.delay > 0 ? sleep(systemClock, this.#wire.delay) : Promise.resolve();
  }

  async #send(to: Socket, bytes: Buffer, after: Promise<unknown>): Promise<void> {
    await after;
    let pieces = 0;
    for (let start = 0; start < bytes.length; start += this.#wire.slice) {
      if (pieces > 0 && pieces <= DRIPS) await sleep(systemClock, 1);
      if (this.#wire.halfOpen || to.destroyed) return;
      const piece = bytes.subarray(start, start + this.#wire.slice);
      pieces++;
      this.#wire[to === this.#server ? "bytesToServer" : "bytesToClients"] += piece.length;
      await new Promise((resolve) => to.write(piece, resolve));
    }
  }

  #passRequest(bytes: Buffer): boolean {
    if (this.#silence !== undefined) this.#cutAfterSilence();
    if (this.#swallowing || this.#wire.losses.length === 0 || !this.#wire.isRequest(bytes)) return true;
    if (this.#wire.losses.shift() === "reply") {
      this.#swallowing = true;
      return true;
    }
    this.cut();
    return false;
  }

  #passAnswer(_bytes: Buffer): boolean {
    if (this.#swallowing) this.#cutAfterSilence();
    return !this.#swallowing;
  }

  #cutAfterSilence(): void {
    this.#silence?.cancel();
    this.#silence = systemClock.timer(this.#wire.quiet, () => this.cut());
  }
}
