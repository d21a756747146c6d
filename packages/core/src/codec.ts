import { isUtf8 } from "node:buffer";
import { kindOf } from "./check.ts";
import { PqError } from "./errors.ts";

/**
 * Turns payloads, results and progress into bytes and back. Both functions are synchronous and throw on what they cannot do;
 * core reports it as `INVALID_PAYLOAD`. Producers and consumers of a queue must use the same one.
 */
export interface Codec {
  /** Short, for messages. */
  readonly name: string;
  /** The bytes are the store's from then on: no buffer that the codec writes to again. */
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** How deep objects and arrays may nest. */
const MAX_DEPTH = 1000;

/**
 * JSON in UTF-8: the default. What JSON cannot say is refused instead of changed: functions, symbols, bigints, cycles, NaN, infinite numbers, and
 * `undefined` anywhere but as the value of a property (which is left out, as in any JSON). Objects with `toJSON`, such as
 * dates, become what it returns. Nesting beyond 1,000 levels and keys named `__proto__` are refused in both directions.
 */
export const json: Codec = Object.freeze({ name: "json", encode: encodeJson, decode: decodeJson });

/** Bytes as they are: payloads are `Uint8Array`s. */
export const bytes: Codec = Object.freeze({
  name: "bytes",
  encode(value: unknown): Uint8Array {
    if (!(value instanceof Uint8Array)) throw invalid(`the bytes codec takes a Uint8Array, not ${kindOf(value)}`);
    // A copy: the caller may go on writing to its own before the store has read ours.
    return Uint8Array.prototype.slice.call(value);
  },
  decode: (data: Uint8Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

function invalid(message: string, cause?: unknown): PqError {
  return new PqError("INVALID_PAYLOAD", message, cause === undefined ? undefined : { cause });
}

function encodeJson(value: unknown): Uint8Array {
  const isKnown = checkValue(value, 0);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw invalid("JSON cannot express the value", error);
  }
  // toJSON may have returned nothing.
  if (text === undefined) throw invalid("JSON cannot express the value");
  if (text.includes('"__proto__":') && hasProtoKey(JSON.parse(text))) throw protoKey();
  const encoded = Buffer.from(text);
  if (!isKnown) checkDepth(encoded);
  return encoded;
}

/** Refuse what `JSON.stringify` would leave out or change. `false`: a `toJSON` hides what there will be in some place. */
function checkValue(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      if (!Number.isFinite(value)) throw invalid(`JSON cannot express ${value}`);
      return true;
    case "object":
      return value === null || checkObject(value, depth + 1);
    default:
      throw invalid(`JSON cannot express a value of type ${typeof value}`);
  }
}

function checkObject(value: object, depth: number): boolean {
  if (depth > MAX_DEPTH) throw invalid(`the value has a cycle, or nests deeper than ${MAX_DEPTH} levels`);
  if ("toJSON" in value && typeof value.toJSON === "function") return false;
  let isKnown = true;
  if (Array.isArray(value)) {
    for (const item of value) isKnown = checkValue(item, depth) && isKnown;
    return isKnown;
  }
  for (const key in value) {
    const property: unknown = (value as Record<string, unknown>)[key];
    if (property !== undefined && Object.hasOwn(value, key)) isKnown = checkValue(property, depth) && isKnown;
  }
  return isKnown;
}

function decodeJson(data: Uint8Array): unknown {
  if (!isUtf8(data)) throw invalid("the bytes are not UTF-8, so not JSON");
  // Stores mostly give buffers: another view of the same bytes would cost as much as to read them.
  const buffer = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  checkDepth(buffer);
  const text = buffer.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the parser's message: it quotes the text.
    throw invalid("the bytes are not JSON");
  }
  // Its letters can also be written as \u00.. escapes.
  if ((text.includes("__proto__") || text.includes("\\u00")) && hasProtoKey(value)) throw protoKey();
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Look at the nesting of JSON text before anything recursive does. */
function checkDepth(data: Buffer): void {
  // Each level takes two characters.
  if (data.length <= 2 * MAX_DEPTH) return;
  let depth = 0;
  for (let i = 0; i < data.length; i++) {
    const byte = data[i];
    if (byte === QUOTE) i = endOfString(data, i);
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) throw invalid(`the JSON nests deeper than ${MAX_DEPTH} levels`);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

/** A string is read byte by byte so far; a search for its end costs as much. */
const SHORT = 64;

/** The index of the quote that ends the string beginning at `start`, or that of the end. */
function endOfString(data: Buffer, start: number): number {
  let i = start + 1;
  for (const short = i + SHORT; i < data.length && i < short; i++) {
    if (data[i] === QUOTE) return i;
    if (data[i] === BACKSLASH) i++;
  }
  for (;;) {
    const quote = data.indexOf(QUOTE, i);
    if (quote < 0) return data.length;
    let backslashes = 0;
    while (quote - backslashes > i && data[quote - backslashes - 1] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
    i = quote + 1;
  }
}

function protoKey(): PqError {
  return invalid("a key named __proto__ is not allowed");
}

function hasProtoKey(root: unknown): boolean {
  const left: unknown[] = [root];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== "object" || value === null) continue;
    if (Object.hasOwn(value, "__proto__")) return true;
    for (const item of Object.values(value)) left.push(item);
  }
  return false;
}
