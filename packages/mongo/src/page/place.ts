/**
 * The order of jobs.
 *
 * A **stamp** says when a job came to its place: a moment of the server, the number of a call in the queue, and an index in that call. A job that
 * is put with a delay has the moment when it is due from the beginning, so falling due moves nothing. Of urgent jobs the newest comes first.
 */
import { Binary } from "mongodb";

/** Milliseconds since 1970 by the server's clock, the number drawn from the queue's head, the index in that call. */
export interface Stamp {
  readonly ms: number;
  readonly n: number;
  readonly i: number;
}

/** What a place is made of. */
export interface Placed {
  readonly urgent: boolean;
  readonly priority: number;
  readonly returned: boolean;
  readonly stamp: Stamp;
}

/** Earlier stamps first. */
function compareStamps(a: Stamp, b: Stamp): number {
  return a.ms - b.ms || a.n - b.n || a.i - b.i;
}

/** The order inside a group: by position alone. */
export function comparePositions(a: Placed, b: Placed): number {
  if (a.urgent !== b.urgent) return a.urgent ? -1 : 1;
  return a.urgent ? compareStamps(b.stamp, a.stamp) : compareStamps(a.stamp, b.stamp);
}

/** The order in which jobs are delivered. */
export function comparePlaces(a: Placed, b: Placed): number {
  if (!a.urgent && !b.urgent) {
    if (a.priority !== b.priority) return a.priority - b.priority;
    if (a.returned !== b.returned) return a.returned ? -1 : 1;
  }
  return comparePositions(a, b);
}

const STAMP_BYTES = 18;
const POSITION_BYTES = 1 + STAMP_BYTES;
const PLACE_BYTES = 6 + STAMP_BYTES;

/** Places that differ in nothing but their stamps have this many bytes in common. */
export const LANE_BYTES = 6;

/** The bytes of a place, in whose order the server sorts pages. */
export function placeBytes({ urgent, priority, returned, stamp }: Placed): Binary {
  const bytes = Buffer.alloc(PLACE_BYTES);
  if (!urgent) {
    bytes[0] = 1;
    bytes.writeUInt32BE(priority + 2 ** 31, 1);
    bytes[5] = returned ? 0 : 1;
  }
  writeStamp(stamp, urgent, bytes, 6);
  return new Binary(bytes);
}

/** The bytes of a position, in whose order the server sorts the pages of a group. */
export function positionBytes({ urgent, stamp }: Placed): Binary {
  const bytes = Buffer.alloc(POSITION_BYTES);
  bytes[0] = urgent ? 0 : 1;
  writeStamp(stamp, urgent, bytes, 1);
  return new Binary(bytes);
}

/** Positive doubles sort as their bytes do. The newest urgent job comes first, so its bytes are inverted. */
function writeStamp({ ms, n, i }: Stamp, inverted: boolean, bytes: Buffer, start: number): void {
  bytes.writeDoubleBE(ms, start);
  bytes.writeDoubleBE(n, start + 8);
  bytes.writeUInt16BE(i, start + 16);
  if (inverted) for (let at = start; at < start + STAMP_BYTES; at++) bytes[at] = 255 - bytes[at]!;
}
