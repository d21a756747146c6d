/** Job ids as bytes, by hand: the calls into the system that do the same cost more than all else that a store does for a job. */
import type { JobId } from "./job.ts";

const ID_BYTES = 16;
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

/** Write the 16 bytes of a job id, or those behind the first `from`. */
export function writeJobId(id: JobId, bytes: Uint8Array, at: number, from = 0): void {
  for (let index = from; index < ID_BYTES; index++) {
    const place = PLACES[index]!;
    bytes[at + index - from] = (VALUE[id.charCodeAt(place)]! << 4) | VALUE[id.charCodeAt(place + 1)]!;
  }
}

/** The job id in the 16 bytes from `at` on. */
export function readJobId(bytes: Uint8Array, at: number): JobId {
  for (let index = 0; index < ID_BYTES; index++) {
    const place = PLACES[index]!;
    const byte = bytes[at + index]!;
    scratch[place] = DIGITS[2 * byte]!;
    scratch[place + 1] = DIGITS[2 * byte + 1]!;
  }
  return scratch.toString("latin1") as JobId;
}

/** The 16 bytes of a job id. */
export function jobIdToBytes(id: JobId): Buffer {
  const bytes = Buffer.allocUnsafe(ID_BYTES);
  writeJobId(id, bytes, 0);
  return bytes;
}

/** The job id of these 16 bytes. */
export function jobIdFromBytes(bytes: Uint8Array): JobId {
  return readJobId(bytes, 0);
}
