/** The packets of IPROTO, as far as they are used here. */
import { DecodeError } from "./errors.ts";
import type { Reader } from "./reader.ts";
import type { Received, Sendable } from "./value.ts";
import type { Writer } from "./writer.ts";

/** What can be asked. */
export const TYPE = { auth: 0x07, evaluate: 0x08, call: 0x0a, ping: 0x40 } as const;

const CHUNK = 0x80;
const EVENT = 0x4c;
const FAILED = 0x8000;

const KEY = {
  type: 0x00,
  sync: 0x01,
  tuple: 0x21,
  name: 0x22,
  user: 0x23,
  expression: 0x27,
  data: 0x30,
  error: 0x31,
} as const;

/** The key of the text that goes with a request, by its type. */
const SUBJECT: Readonly<Record<number, number>> = {
  [TYPE.auth]: KEY.user,
  [TYPE.evaluate]: KEY.expression,
  [TYPE.call]: KEY.name,
};

/** A request. */
export interface Request {
  readonly type: number;
  readonly sync: number;
  /** The user, the function or the text to evaluate. */
  readonly subject: string;
  readonly args: readonly Sendable[];
}

/** Write the content of a request's packet. */
export function writeRequest(writer: Writer, { type, sync, subject, args }: Request): void {
  writer.byte(0x82);
  writer.byte(KEY.type);
  writer.byte(type);
  writer.byte(KEY.sync);
  writer.number(sync);
  const key = SUBJECT[type];
  if (key === undefined) return writer.byte(0x80);
  writer.byte(0x82);
  writer.byte(key);
  writer.string(subject);
  writer.byte(KEY.tuple);
  writer.array(args);
}

/** The header of what a server sent. */
export interface Header {
  /** The request that it answers. */
  readonly sync: number;
  /** 0: it was carried out. Otherwise the number of the error. */
  readonly code: number;
}

/** Read a header. Nothing when the packet is none that anybody waits for. */
export function readHeader(reader: Reader): Header | undefined {
  let type: number | undefined;
  let sync: number | undefined;
  for (let left = reader.mapSize(); left > 0; left--) {
    const key = reader.value();
    if (key === KEY.type) type = reader.unsigned();
    else if (key === KEY.sync) sync = reader.unsigned();
    else reader.value();
  }
  if (type === undefined) throw new DecodeError("a packet has no type");
  if (type === CHUNK || type === EVENT) return undefined;
  if (type !== 0 && (type <= FAILED || type > 0xffff)) throw new DecodeError("a packet has a type that no answer has");
  if (sync === undefined) throw new DecodeError("an answer does not say to what");
  return { sync, code: type & ~FAILED };
}

/** What is in an answer. */
export interface Body {
  readonly values: readonly Received[];
  /** What the server says about its error. */
  readonly error: string;
}

/** Read the rest of an answer. */
export function readBody(reader: Reader): Body {
  let values: readonly Received[] = [];
  let error = "";
  // An answer to a ping may have no body.
  for (let left = reader.isDone ? 0 : reader.mapSize(); left > 0; left--) {
    const key = reader.value();
    const value = reader.value();
    if (key === KEY.data) values = asArray(value);
    else if (key === KEY.error && Buffer.isBuffer(value)) error = value.toString("utf8");
  }
  if (!reader.isDone) throw new DecodeError("a packet goes on after its end");
  return { values, error };
}

function asArray(value: Received): readonly Received[] {
  if (Array.isArray(value)) return value as readonly Received[];
  throw new DecodeError("what an answer returns is not an array");
}
