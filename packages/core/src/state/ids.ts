/** Ids as four 32-bit words: 16 bytes instead of a text of 36 characters. */
import type { JobId, RequestId } from "../job.ts";

const DIGITS = new Int8Array(128).fill(-1);
for (let i = 0; i < 16; i++) {
  DIGITS["0123456789abcdef".charCodeAt(i)] = i;
  DIGITS["0123456789ABCDEF".charCodeAt(i)] = i;
}
const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Read the 32 hexadecimal digits of an id into `words`; dashes are passed over. */
export function parseWords(text: string, words: Int32Array, to = 0): void {
  let word = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = DIGITS[text.charCodeAt(i) & 127]!;
    if (digit < 0) continue;
    word = (word << 4) | digit;
    if ((++digits & 7) === 0) words[to + (digits >>> 3) - 1] = word;
  }
}

function hex(word: number): string {
  return BYTES[word >>> 24]! + BYTES[(word >>> 16) & 255]! + BYTES[(word >>> 8) & 255]! + BYTES[word & 255]!;
}

/** The job id of these words. */
export function formatJobId(words: Int32Array, from = 0): JobId {
  const b = words[from + 1]!;
  const c = words[from + 2]!;
  return `${hex(words[from]!)}-${BYTES[b >>> 24]!}${BYTES[(b >>> 16) & 255]!}-${BYTES[(b >>> 8) & 255]!}${BYTES[b & 255]!}-${BYTES[c >>> 24]!}${BYTES[(c >>> 16) & 255]!}-${BYTES[(c >>> 8) & 255]!}${BYTES[c & 255]!}${hex(words[from + 3]!)}` as JobId;
}

/** The request id of these words. */
export function formatRequest(words: Int32Array, from = 0): RequestId {
  return (hex(words[from]!) + hex(words[from + 1]!) + hex(words[from + 2]!) + hex(words[from + 3]!)) as RequestId;
}
