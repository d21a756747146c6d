/**
 * The parts of a job that never change, in bytes: its record and its features. The head of `scripts/prelude.ts` describes them.
 *
 * A record is kept as short as possible, since most jobs have nothing else. What scripts need to know of a job (priority, key, group, …)
 * is in its features, so that no script reads a payload.
 */
import { type NewJob, PqError } from "@pq/core/backend";
import { TIME_BYTES, readTime, writeTime } from "./bytes.ts";

const HAS_FEATURES = 1;
const HAS_HEADERS = 2;
const CREATED_BYTES = 6;
/** Without the names: maxAttempts, priority, three durations, two lengths. */
const FEATURES_BYTES = 4 + 4 + 3 * TIME_BYTES + 2;

/** What a record says. */
export interface RecordParts {
  readonly payload: Buffer;
  readonly headers: string;
  readonly createdAt: number;
  /** 0: see the features. */
  readonly maxAttempts: number;
}

/** What the features of a job say. */
export interface Features {
  readonly maxAttempts: number;
  readonly priority: number;
  readonly ttl: number | null;
  readonly lease: number | null;
  readonly keepResult: number | null;
  readonly key: string | null;
  readonly group: string | null;
}

/** Does this job need features? */
export function hasFeatures(job: NewJob): boolean {
  return (
    job.priority !== 0 ||
    job.ttl !== null ||
    job.lease !== null ||
    job.keepResult !== null ||
    job.key !== null ||
    job.group !== null ||
    job.maxAttempts > 255
  );
}

/** The bytes of the record without the time of the put, which the script adds. */
export function recordSize(job: NewJob): number {
  return 2 + (job.headers === "" ? 0 : 2 + Buffer.byteLength(job.headers)) + job.payload.length;
}

/** Write the record; returns where it ends. */
export function writeRecord(job: NewJob, featured: boolean, bytes: Buffer, start: number): number {
  bytes[start] = (featured ? HAS_FEATURES : 0) | (job.headers === "" ? 0 : HAS_HEADERS);
  bytes[start + 1] = job.maxAttempts > 255 ? 0 : job.maxAttempts;
  let at = start + 2;
  if (job.headers !== "") {
    const length = bytes.write(job.headers, at + 2);
    bytes.writeUInt16BE(length, at);
    at += 2 + length;
  }
  bytes.set(job.payload, at);
  return at + job.payload.length;
}

/** Read a record as the script has stored it. */
export function readRecord(record: Buffer): RecordParts {
  const end = record.length - CREATED_BYTES;
  let start = 2;
  let headers = "";
  if ((record[0]! & HAS_HEADERS) !== 0) {
    start += 2 + record.readUInt16BE(2);
    headers = record.toString("utf8", 4, start);
  }
  if (start > end) throw new PqError("CORRUPT", "a record is shorter than it says");
  return {
    payload: record.subarray(start, end),
    headers,
    createdAt: record.readUIntBE(end, CREATED_BYTES),
    maxAttempts: record[1]!,
  };
}

/** The features of a job. */
export function encodeFeatures(job: NewJob): Buffer {
  const key = Buffer.from(job.key ?? "");
  const group = Buffer.from(job.group ?? "");
  const bytes = Buffer.allocUnsafe(FEATURES_BYTES + key.length + group.length);
  bytes.writeUInt32BE(job.maxAttempts, 0);
  bytes.writeInt32BE(job.priority, 4);
  writeOptional(job.ttl, bytes, 8);
  writeOptional(job.lease, bytes, 8 + TIME_BYTES);
  writeOptional(job.keepResult, bytes, 8 + 2 * TIME_BYTES);
  let at = 8 + 3 * TIME_BYTES;
  for (const name of [key, group]) {
    bytes[at] = name.length;
    bytes.set(name, at + 1);
    at += 1 + name.length;
  }
  return bytes;
}

const NONE: Features = {
  maxAttempts: 0,
  priority: 0,
  ttl: null,
  lease: null,
  keepResult: null,
  key: null,
  group: null,
};

/** Read features; those of a job without any when there are no bytes. */
export function readFeatures(bytes: Buffer | undefined): Features {
  if (bytes === undefined || bytes.length === 0) return NONE;
  const keyAt = 9 + 3 * TIME_BYTES;
  const groupAt = keyAt + bytes[keyAt - 1]! + 1;
  return {
    maxAttempts: bytes.readUInt32BE(0),
    priority: bytes.readInt32BE(4),
    ttl: readOptional(bytes, 8),
    lease: readOptional(bytes, 8 + TIME_BYTES),
    keepResult: readOptional(bytes, 8 + 2 * TIME_BYTES),
    key: bytes.toString("utf8", keyAt, groupAt - 1) || null,
    group: bytes.toString("utf8", groupAt, groupAt + bytes[groupAt - 1]!) || null,
  };
}

/** 0 stands for none. */
function writeOptional(ms: number | null, bytes: Buffer, at: number): void {
  writeTime(ms === null ? 0 : ms + 1, bytes, at);
}

function readOptional(bytes: Buffer, at: number): number | null {
  const value = readTime(bytes, at);
  return value === 0 ? null : value - 1;
}
