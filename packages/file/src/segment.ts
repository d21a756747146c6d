/**
 * The start of a segment: 64 bytes, two equal copies of
 *
 *     0   "@pq/log\n"
 *     8   u32 format version
 *     12  u32 number of the segment
 *     16  u32 salt of the store
 *     20  8 bytes of zeros
 *     28  u32 CRC-32C of the bytes before
 *
 * A copy that is damaged is made up for by the other; when both are, by the salt of any other segment.
 */
import fs from "node:fs";
import { PqError } from "@pq/core/backend";
import { crc32c } from "@pq/core/state";
import { FORMAT_VERSION, HEADER_COPY, SEGMENT_HEADER, SEGMENT_MAGIC } from "./layout.ts";

const { O_CREAT, O_EXCL, O_RDWR, O_DSYNC } = fs.constants;

/** Can the system write and sync in one call? */
export const HAS_DSYNC: boolean = typeof O_DSYNC === "number" && O_DSYNC !== 0;

/** The flags with which the log opens a segment: each write of a durable log is also a sync, where the system can do that. */
export function segmentFlags(durable: boolean, create: boolean): number {
  return O_RDWR | (create ? O_CREAT | O_EXCL : 0) | (durable && HAS_DSYNC ? O_DSYNC : 0);
}

/** The first bytes of a new segment. */
export function encodeHeader(segment: number, salt: number): Buffer {
  const copy = Buffer.alloc(HEADER_COPY);
  copy.write(SEGMENT_MAGIC, 0, "latin1");
  copy.writeUInt32LE(FORMAT_VERSION, 8);
  copy.writeUInt32LE(segment, 12);
  copy.writeUInt32LE(salt >>> 0, 16);
  copy.writeUInt32LE(crc32c(copy, 0, HEADER_COPY - 4), HEADER_COPY - 4);
  return Buffer.concat([copy, copy], SEGMENT_HEADER);
}

/**
 * The salt in a header, or `undefined` when both copies are damaged.
 * Throws `INCOMPATIBLE_VERSION` for a newer format. `path` is for messages.
 */
export function decodeHeader(bytes: Buffer, segment: number, path: string): number | undefined {
  for (const start of [0, HEADER_COPY]) {
    const copy = bytes.subarray(start, start + HEADER_COPY);
    if (copy.length < HEADER_COPY || copy.toString("latin1", 0, 8) !== SEGMENT_MAGIC) continue;
    if (copy.readUInt32LE(HEADER_COPY - 4) !== crc32c(copy, 0, HEADER_COPY - 4)) continue;
    const version = copy.readUInt32LE(8);
    if (version > FORMAT_VERSION) {
      throw new PqError("INCOMPATIBLE_VERSION", `${path} has format ${version}, this package knows ${FORMAT_VERSION}`);
    }
    if (copy.readUInt32LE(12) === segment) return copy.readUInt32LE(16);
  }
  return undefined;
}
