/**
 * The client's side of a connection. A `Link` is one connection; when it is lost, everything in flight on it settles. A `Line`
 * has one link at a time and makes a new one when it is asked for and there is none.
 */
import { connect, type Socket } from "node:net";
import { type BackendEvent, PqError, systemClock, type Timer } from "@pq/core/backend";
import { type Calls, frame, FrameReader, type Op, type Request, type Response } from "./protocol.ts";

/** No answer came. `sent`: but the server may have got the request. */
export class LinkError extends Error {
  readonly sent: boolean;

  constructor(message: string, sent: boolean, cause?: unknown) {
    super(message, { cause });
    this.sent = sent;
  }
}

/** What somebody waits for on a link. */
interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  /** How long to wait for a connection, in milliseconds. */
  readonly deadline: number;
}

export class Link {
  readonly #socket: Socket;
  readonly #lost: (why: Error) => void;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #over = false;

  /** Connects. `lost` is called once, when the link is no more and everything on it has settled. */
  constructor({ host, port }: Address, lost: (why: Error) => void) {
    this.#lost = lost;
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket.on("data", (piece) => this.#receive(piece));
    this.#socket.on("error", (cause) => this.end(new LinkError("the connection was lost", true, cause)));
    this.#socket.on("close", () => this.end(new LinkError("the connection was closed by the server", true)));
  }

  /** The number by which the next request can be cancelled. */
  get next(): number {
    return this.#last + 1;
  }

  /** Sends a request. Without an answer in `ms` the whole link is given up: whoever does not answer one, answers none. */
  request<O extends Op>(op: O, params: Calls[O]["params"], ms: number): Promise<Calls[O]["answer"]> {
    if (this.#over) return Promise.reject(new LinkError("the connection is lost", false));
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = systemClock.timer(ms, () => this.end(new LinkError(`no answer within ${ms} ms`, true)));
      this.#pending.set(id, { resolve: resolve as (answer: unknown) => void, reject, timer });
      this.#socket.write(frame({ id, op, params } as Request));
    });
  }

  /** Ends the link. What is in flight fails for this reason. */
  end(why: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.destroy();
    for (const { reject, timer } of this.#pending.values()) {
      timer.cancel();
      reject(why);
    }
    this.#lost(why);
  }

  #receive(piece: Buffer): void {
    try {
      for (const response of this.#reader.read(piece)) this.#settle(response as Response);
    } catch (cause) {
      this.end(new LinkError("the server sent what is no answer", true, cause));
    }
  }

  #settle(response: Response): void {
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    pending?.timer.cancel();
    if ("code" in response) pending?.reject(new PqError(response.code, response.message));
    else pending?.resolve(response.answer);
  }
}

type Report = (event: BackendEvent) => void;

export class Line {
  readonly #address: Address;
  readonly #report: Report;
  #link: Promise<Link> | undefined;
  #state: "new" | "up" | "lost" = "new";

  constructor(address: Address, report: Report) {
    this.#address = address;
    this.#report = report;
  }

  /** A link to a server that has greeted. Whoever asks while it is being made gets the same one. */
  link(): Promise<Link> {
    return (this.#link ??= this.#connect());
  }

  async request<O extends Op>(op: O, params: Calls[O]["params"], ms: number): Promise<Calls[O]["answer"]> {
    const end = systemClock.monotonic() + ms;
    const link = await this.link();
    return link.request(op, params, Math.max(1, Math.ceil(end - systemClock.monotonic())));
  }

  /** Give up the link there is, or is being made. */
  drop(): void {
    const why = new LinkError("the connection was given up", true);
    this.#link?.then((link) => link.end(why)).catch(() => undefined);
    this.#link = undefined;
    this.#state = "new";
  }

  /** Until the server has greeted nothing else is sent: whatever goes wrong before, no call was applied. */
  #connect(): Promise<Link> {
    const link = new Link(this.#address, (why) => {
      if (this.#link !== connecting) return;
      this.#link = undefined;
      if (this.#state !== "up") return;
      this.#state = "lost";
      this.#report({ type: "disconnected", message: why.message });
    });
    const connecting = link.request("hello", null, this.#address.deadline).then(
      () => this.#greeted(link),
      (error: unknown) => this.#refused(link, error),
    );
    return connecting;
  }

  #greeted(link: Link): Link {
    if (this.#state === "lost") this.#report({ type: "reconnected", message: "connected again" });
    this.#state = "up";
    return link;
  }

  #refused(link: Link, error: unknown): never {
    const reason = error instanceof PqError ? error : new LinkError("the server cannot be reached", false, error);
    link.end(reason);
    throw reason;
  }
}
