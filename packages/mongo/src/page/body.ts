/**
 * The bytes of payloads and headers: for each job in the order of the put
 *
 *     u32 bytes of the payload   u16 bytes of the headers   headers   payload
 *
 * A put has them in one piece, in its page, when they are few; else in chunks of as many jobs each, so that a job's chunk follows from
 * its index. They are made from all jobs of the put, added or not: a repeated put makes the same.
 */
import { type NewJob, PqError } from "@pq/core/backend";
import { Reader, Writer } from "./bytes.ts";

/** Bytes of a put that stay in its page. */
const INLINE_BYTES = 4096;
const CHUNK_BYTES = 1024 * 1024;
const CHUNK_JOBS = 64;
const PREFIX_BYTES = 6;

/** What a put stores of its payloads: one of `body` and `chunks`. */
export interface Bodies {
  readonly body: Buffer | null;
  readonly chunks: readonly Buffer[];
  /** Jobs in each chunk. */
  readonly per: number;
}

/** What a job brings. */
export interface Body {
  readonly payload: Buffer;
  readonly headers: string;
}

/** Payload and headers of a job, in bytes. */
export function sizeOf({ payload, headers }: NewJob): number {
  return PREFIX_BYTES + payload.length + Buffer.byteLength(headers);
}

/** The bytes of a put. */
export function packBodies(jobs: readonly NewJob[]): Bodies {
  const sizes = jobs.map(sizeOf);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (all <= INLINE_BYTES) return { body: pack(jobs, all), chunks: [], per: jobs.length };
  const largest = Math.max(...sizes);
  const per = Math.max(1, Math.min(CHUNK_JOBS, Math.floor(CHUNK_BYTES / largest)));
  const chunks: Buffer[] = [];
  for (let from = 0; from < jobs.length; from += per) chunks.push(pack(jobs.slice(from, from + per), per * largest));
  return { body: null, chunks, per };
}

function pack(jobs: readonly NewJob[], size: number): Buffer {
  const writer = new Writer(size);
  for (const { payload, headers } of jobs) {
    writer.u32(payload.length);
    writer.u16(Buffer.byteLength(headers));
    writer.raw(Buffer.from(headers));
    writer.raw(payload);
  }
  return writer.done();
}

/** The body of the job at this place of a chunk, which must have this size. Throws `CORRUPT`. */
export function unpackBody(chunk: Uint8Array, place: number, size: number): Body {
  const reader = new Reader(chunk);
  for (let left = place; left > 0; left--) reader.raw(reader.u32() + reader.u16());
  const payloadBytes = reader.u32();
  const headersBytes = reader.u16();
  if (PREFIX_BYTES + payloadBytes + headersBytes !== size) throw new PqError("CORRUPT", "a payload has another size");
  const headers = reader.raw(headersBytes).toString("utf8");
  return { headers, payload: Buffer.from(reader.raw(payloadBytes)) };
}
