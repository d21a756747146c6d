/** Numbers and ids in bytes, highest byte first. */
import type { JobId } from "@pq/core/backend";

/** Bytes of an id, and of a number of the sizes that are used. */
export const ID_BYTES = 16;
export const FENCE_BYTES = 6;
export const TIME_BYTES = 7;

const DASH = 45;
/** The value of a hexadecimal digit by its character code. */
const VALUE = new Uint8Array(128);
/** The two character codes of each byte. */
const DIGITS = new Uint8Array(512);
for (const [value, digit] of "0123456789abcdef".split("").entries()) {
  VALUE[digit.charCodeAt(0)] = value;
  VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}
for (let byte = 0; byte < 256; byte++) {
  const text = byte.toString(16).padStart(2, "0");
  DIGITS[2 * byte] = text.charCodeAt(0);
  DIGITS[2 * byte + 1] = text.charCodeAt(1);
}
const scratch = Buffer.alloc(36, DASH);
/** Where the digits of each byte stand in the text of an id. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** Write the 16 bytes of an id, or those behind the first `from`. By hand, since three calls into the system for each job would cost more than all the rest. */
export function writeId(id: JobId, bytes: Buffer, at: number, from = 0): void {
  for (let index = from; index < ID_BYTES; index++) {
    const place = PLACES[index]!;
    bytes[at + index - from] = (VALUE[id.charCodeAt(place)]! << 4) | VALUE[id.charCodeAt(place + 1)]!;
  }
}

/** The id in these 16 bytes. */
export function readId(bytes: Buffer, at: number): JobId {
  for (let index = 0; index < ID_BYTES; index++) {
    const place = PLACES[index]!;
    const byte = bytes[at + index]!;
    scratch[place] = DIGITS[2 * byte]!;
    scratch[place + 1] = DIGITS[2 * byte + 1]!;
  }
  return scratch.toString("latin1") as JobId;
}

/** These ids, one behind the other. */
export function idsToBytes(ids: readonly JobId[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * ID_BYTES);
  ids.forEach((id, index) => writeId(id, bytes, index * ID_BYTES));
  return bytes;
}

/** Write a fence. One that is greater than all that are ever given out becomes 0, which is none either. */
export function writeFence(fence: number, bytes: Buffer, at: number): void {
  bytes.writeUIntBE(fence < 2 ** 48 ? fence : 0, at, FENCE_BYTES);
}

/** Write a time or duration. Negative and larger ones than can be told apart become the nearest possible. */
export function writeTime(ms: number, bytes: Buffer, at: number): void {
  const whole = Math.min(Math.max(Math.ceil(ms), 0), Number.MAX_SAFE_INTEGER);
  bytes.writeUIntBE(Math.floor(whole / 2 ** 32), at, 3);
  bytes.writeUInt32BE(whole % 2 ** 32, at + 3);
}

/** The time or duration here. */
export function readTime(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at, 3) * 2 ** 32 + bytes.readUInt32BE(at + 3);
}
