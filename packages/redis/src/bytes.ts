/** Numbers and ids in bytes, highest byte first. */
import { type JobId, writeJobId } from "@pq/core/backend";

/** Bytes of an id, and of a number of the sizes that are used. */
export const ID_BYTES = 16;
export const FENCE_BYTES = 6;
export const TIME_BYTES = 7;

/** These ids, one behind the other. */
export function idsToBytes(ids: readonly JobId[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * ID_BYTES);
  ids.forEach((id, index) => writeJobId(id, bytes, index * ID_BYTES));
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
