/** How bytes, ids and names travel. */
import { type JobId, type RequestId, writeJobId } from "@pq/core/backend";
import type { Sendable } from "./iproto/value.ts";

/** How many bytes an id has. */
export const ID_BYTES = 16;

/** Bytes up to here stand in the row of their job; longer ones beside it, in pieces of so many (`lua/blobs.lua`). */
const INLINE = 8 * 1024;
const PIECE = 8 * 1024;

/** Ids one after the other. */
export function idsToBytes(ids: readonly JobId[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * ID_BYTES);
  ids.forEach((id, index) => writeJobId(id, bytes, index * ID_BYTES));
  return bytes;
}

/** The name of a call. */
export function requestBytes(request: RequestId): Buffer {
  return Buffer.from(request, "hex");
}

/** Bytes, or the pieces of long ones. */
export function stored(bytes: Uint8Array): Sendable {
  if (bytes.length <= INLINE) return bytes;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE) pieces.push(bytes.subarray(at, at + PIECE));
  return pieces;
}

/** The same for a text. */
export function storedText(text: string): Sendable {
  return text.length * 3 <= INLINE ? text : stored(Buffer.from(text));
}
