/**
 * The protocol between backend and server.
 *
 * Both sides send frames over one TCP connection:
 *
 *     length of what follows (4 bytes, big endian) | kind (1 byte) | body (in the format of `node:v8`)
 *
 * The body is a `Request` from the client, a `Response` from the server. A response bears the number of its request; responses
 * come in any order. The first request is `hello`. It is answered with what the server promises, or with the reason why it
 * cannot serve (a damaged file, say). `wait` is answered when a job is there, at its timeout, or after its `cancel`.
 *
 * The kind says whether a request is a call (`CALL`) or only keeps the talk going (`QUIET`: `hello`, `wait`, `cancel`), so that
 * those who look at the bytes from outside can tell without reading the body.
 */
import { deserialize, serialize } from "node:v8";
import type { ControlParams, ControlResult, DeliveredJob, Guarantees, PqErrorCode, PutOutcome } from "@pq/core/backend";
import type { PutParams, QueueStats, ReadParams, ReadResult, SettleOutcome, SettleParams } from "@pq/core/backend";
import type { TakeParams, TouchParams } from "@pq/core/backend";

/** The calls that change something. */
export interface Changes {
  put: { params: PutParams; answer: readonly PutOutcome[] };
  take: { params: TakeParams; answer: readonly DeliveredJob[] };
  settle: { params: SettleParams; answer: readonly SettleOutcome[] };
  touch: { params: TouchParams; answer: readonly boolean[] };
  control: { params: ControlParams; answer: ControlResult };
}

/** The calls that only look. */
export interface Looks {
  read: { params: ReadParams; answer: ReadResult };
  stats: { params: { readonly queue: string }; answer: QueueStats };
  queues: { params: null; answer: readonly string[] };
}

/** Requests that are no calls. */
export interface Quiet {
  hello: { params: null; answer: Guarantees };
  wait: { params: { readonly queue: string; readonly timeout: number }; answer: null };
  cancel: { params: { readonly queue: string; readonly wait: number }; answer: null };
}

export type Calls = Changes & Looks & Quiet;
export type Op = keyof Calls;

type Named<C extends { [op in keyof C]: { params: unknown } }> = {
  [op in keyof C]: { readonly op: op; readonly params: C[op]["params"] };
}[keyof C];
export type Change = Named<Changes>;
export type Request = Named<Calls> & { readonly id: number };

/** What came of request `id`. */
export type Response =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly code: PqErrorCode; readonly message: string };

export const CALL = 1;
export const QUIET = 0;
/** Where in a frame the kind is. */
export const KIND_AT = 4;
const HEAD = 5;
const LARGEST = 256 * 1024 * 1024;
const quiet: ReadonlySet<Op> = new Set<Op>(["hello", "wait", "cancel"]);

export function frame(message: Request | Response): Buffer {
  const body = serialize(message);
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(body.length + 1);
  head[KIND_AT] = "op" in message && quiet.has(message.op) ? QUIET : CALL;
  return Buffer.concat([head, body]);
}

/** Puts frames together again out of the pieces in which they arrive. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #size = 0;
  #wanted = HEAD;

  /** The messages that are complete with this piece. Throws for what is no frame. */
  *read(piece: Buffer): Generator {
    this.#pieces.push(piece);
    this.#size += piece.length;
    while (this.#size >= this.#wanted) {
      const bytes = Buffer.concat(this.#pieces);
      const end = KIND_AT + bytes.readUInt32BE();
      if (end > LARGEST || end < HEAD) throw new RangeError("not a frame of this protocol");
      const complete = bytes.length >= end;
      const rest = complete ? bytes.subarray(end) : bytes;
      this.#pieces = [rest];
      this.#size = rest.length;
      this.#wanted = complete ? HEAD : end;
      if (complete) yield deserialize(bytes.subarray(HEAD, end));
    }
  }
}
