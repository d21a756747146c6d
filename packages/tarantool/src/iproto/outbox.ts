/**
 * What goes to the server. Requests made in one turn of the event loop are written together. While the socket has not taken what was written
 * before, more requests wait here: so it is known of them that they never left.
 */
import type { Duplex } from "node:stream";
import { type Request, writeRequest } from "./protocol.ts";
import { Writer } from "./writer.ts";

/** The requests of one connection. */
export class Outbox {
  readonly #socket: Duplex;
  readonly #writer = new Writer();
  #last = 0;
  #sent = 0;
  #planned = false;
  #busy = false;
  #closed = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** The last request that was handed to the socket: later ones certainly never left. */
  get sent(): number {
    return this.#sent;
  }

  /** Send a request soon. Throws when it cannot be written, and sends nothing then. */
  add(request: Request): void {
    this.#writer.packet((writer) => writeRequest(writer, request));
    this.#last = request.sync;
    if (this.#planned || this.#busy) return;
    this.#planned = true;
    // After all promises that are settled now: what they call comes along.
    process.nextTick(() => this.#flush());
  }

  /** Send nothing any more. */
  close(): void {
    this.#closed = true;
  }

  #flush(): void {
    this.#planned = false;
    if (this.#closed || this.#writer.isEmpty) return;
    this.#sent = this.#last;
    this.#write(this.#writer.take());
    this.#busy = this.#socket.writableLength > 0;
  }

  #write(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket;
    const last = pieces.length - 1;
    if (last > 0) socket.cork();
    for (let i = 0; i < last; i++) socket.write(pieces[i]);
    socket.write(pieces[last], this.#onWritten);
    if (last > 0) socket.uncork();
  }

  readonly #onWritten = (error?: Error | null): void => {
    // After an error, the end of the connection follows.
    if (error || !this.#busy) return;
    this.#busy = false;
    this.#flush();
  };
}
