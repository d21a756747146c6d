/**
 * A replica as bytes: all that decides what later entries do, so that one made from them and one that applied every entry stay equal.
 * Little-endian, cut into chunks that fit into nodes; a list comes after its length (4).
 *
 * ```
 * chunk    checksum of the rest (4), the next piece of the bytes
 * bytes    version (1), position, fence, order, fresh time, time (8 each), paused (1), number of counters (1), counters (8 each)
 *          answers, those who wait, those who were woken, takers, damaged entries, entries in parts, pages, jobs
 * page     number (4), position, time (8 each), length of the head, of the body (4 each), is it in parts (1), name of the parts (16)
 * job      state, flags (1 each), id (16), number of its page, offset, size (4 each), time (8), sequence, priority, attempt (4 each),
 *          with the flag EXTRA which of its fields are there (4), and these
 * ```
 *
 * Jobs come in the order of the lists that they are in, so that each list grows at its end when it is made again.
 */
import { PqError } from "@pq/core/backend";
import {
  ByteReader, ByteWriter, COUNTER_NAMES, crc32c, DONE, Extra, EXTRA, type QueueState, URGENT,
} from "@pq/core/state"; // prettier-ignore
import { readRequest, writeId } from "./id-bytes.ts";
import type { Page } from "./pages.ts";
import { Replica } from "./replica.ts";
import { readAnswer, writeAnswer } from "./snapshot-answers.ts";

/** Bytes of a chunk. */
const CHUNK = 900 * 1024;
const CHECKSUM = 4;
const VERSION = 1;

/** The fields of an extra, in the order of their bits. New ones go to the end of all. */
const NUMBERS = [
  "moment", "since", "order", "fence", "lease", "maxAttempts", "expiresAt", "ownLease", "keepResult",
] as const; // prettier-ignore
const TEXTS = ["key", "group", "lastError"] as const;
const BLOBS = ["progress", "result"] as const;
const REASONS = ["failed", "lease-expired", "buried"] as const;
const LEASED_BY = 1 << 14;
const REASON = 1 << 15;

const USUAL: Readonly<Extra> = Object.freeze(new Extra());
const id = new Int32Array(4);

/** The chunks of a snapshot of the replica as it is now. */
export function encodeSnapshot(replica: Replica): Buffer[] {
  const { queue, pages, usage } = replica;
  const out = new ByteWriter(4096 + queue.jobs.table.count * 64);
  writeFacts(out, replica);
  list(out, queue.answers, writeAnswer);
  writeSessions(out, replica);
  const used = [...pages].filter(([number]) => usage.of(number) > 0);
  list(out, used, writePage);
  writeJobs(out, queue);
  return cut(out.written);
}

/** The replica in these chunks. Throws `CORRUPT`, and `INCOMPATIBLE_VERSION` when a newer version of this package wrote it. */
export function decodeSnapshot(name: string, chunks: readonly Buffer[]): Replica {
  const input = new ByteReader(join(chunks));
  const version = input.u8();
  if (version > VERSION) {
    throw new PqError(
      "INCOMPATIBLE_VERSION",
      `the snapshot of the queue is of format ${version}, and this version of @pq/zk knows ${VERSION}: upgrade it`,
    );
  }
  try {
    return readAll(input, name);
  } catch (error) {
    throw new PqError("CORRUPT", "the snapshot of the queue makes no sense", { cause: error });
  }
}

function readAll(input: ByteReader, name: string): Replica {
  const replica = new Replica(name);
  readFacts(input, replica);
  replica.queue.answers.restore(listed(input, readAnswer));
  readSessions(input, replica);
  const numbers = new Map(listed(input, readPage).map(([number, page]) => [number, replica.pages.add(page)]));
  readJobs(input, replica.queue, numbers);
  if (input.at !== input.end) throw new RangeError("it is longer than its content");
  return replica;
}

// ---- chunks -------------------------------------------------------------------------------------------------------

function cut(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK - CHECKSUM) {
    const piece = bytes.subarray(at, at + CHUNK - CHECKSUM);
    const chunk = Buffer.allocUnsafe(CHECKSUM + piece.length);
    chunk.writeUInt32LE(crc32c(piece), 0);
    chunk.set(piece, CHECKSUM);
    chunks.push(chunk);
  }
  return chunks;
}

function join(chunks: readonly Buffer[]): Buffer {
  const pieces = chunks.map((chunk, index) => {
    const good = chunk.length > CHECKSUM && chunk.readUInt32LE(0) === crc32c(chunk, CHECKSUM);
    if (!good) throw new PqError("CORRUPT", `the snapshot of the queue is damaged: chunk ${index} of ${chunks.length}`);
    return chunk.subarray(CHECKSUM);
  });
  if (pieces.length === 0) throw new PqError("CORRUPT", "the snapshot of the queue is damaged: it has no chunks");
  return Buffer.concat(pieces);
}

// ---- the queue ----------------------------------------------------------------------------------------------------

function writeFacts(out: ByteWriter, { position, fence, queue }: Replica): void {
  out.u8(VERSION);
  for (const number of [position, fence, queue.order, queue.freshTime, queue.time]) out.f64(number);
  out.u8(queue.paused ? 1 : 0);
  out.u8(COUNTER_NAMES.length);
  for (const name of COUNTER_NAMES) out.f64(queue.counters[name]);
}

function readFacts(input: ByteReader, replica: Replica): void {
  const { queue } = replica;
  replica.position = input.f64();
  replica.fence = input.f64();
  queue.order = input.f64();
  queue.freshTime = input.f64();
  queue.time = input.f64();
  queue.paused = input.u8() === 1;
  const counted = input.u8();
  for (const name of COUNTER_NAMES.slice(0, counted)) queue.counters[name] = input.f64();
}

/** Who waits, and who holds what. A take that holds nothing any more means nothing. */
function writeSessions(out: ByteWriter, { line, takers, queue, damaged, pages }: Replica): void {
  const { waiting, woken } = line.state();
  list(out, waiting, ({ member, ticket }) => writeNumbered(out, member, ticket));
  list(out, woken, ([member, count]) => writeNumbered(out, member, count));
  const holders = [...takers].filter(([request]) => queue.heldBy(request).length > 0);
  list(out, holders, ([request, member]) => {
    writeId(out, request);
    writeId(out, member);
  });
  list(out, damaged, (position) => out.f64(position));
  list(out, pages.inParts, ([guid, position]) => {
    writeId(out, guid);
    out.f64(position);
  });
}

function readSessions(input: ByteReader, { line, takers, damaged, pages }: Replica): void {
  const waiting = listed(input, () => ({ member: readRequest(input), ticket: input.u32() }));
  const woken = listed(input, () => [readRequest(input), input.u32()] as const);
  line.restore({ waiting, woken });
  for (let left = input.u32(); left > 0; left--) takers.set(readRequest(input), readRequest(input));
  for (const position of listed(input, () => input.f64())) damaged.add(position);
  for (let left = input.u32(); left > 0; left--) pages.note(readRequest(input), input.f64());
}

// ---- pages and jobs -----------------------------------------------------------------------------------------------

function writePage([number, page]: readonly [number, Page], out: ByteWriter): void {
  out.u32(number);
  out.f64(page.position);
  out.f64(page.time);
  out.u32(page.headLength);
  out.u32(page.bodyLength);
  out.u8(page.guid === null ? 0 : 1);
  if (page.guid !== null) writeId(out, page.guid);
}

function readPage(input: ByteReader): readonly [number, Page] {
  const number = input.u32();
  const [position, time, headLength, bodyLength] = [input.f64(), input.f64(), input.u32(), input.u32()];
  return [number, { position, time, headLength, bodyLength, guid: input.u8() === 0 ? null : readRequest(input) }];
}

function writeJobs(out: ByteWriter, { jobs }: QueueState): void {
  const { table, ready, held, delayed, leased, buried, done } = jobs;
  out.u32(table.count);
  for (const slots of [ready, held, delayed, leased, buried, done]) {
    for (const slot of slots) {
      out.u8(table.state(slot));
      out.u8(table.flags(slot));
      out.words(table.id(slot, id));
      out.u32(table.piece(slot));
      out.u32(table.offset(slot));
      out.u32(table.size(slot));
      out.f64(table.time(slot));
      out.u32(table.sequence(slot));
      out.u32(table.priority(slot) >>> 0);
      out.u32(table.attempt(slot));
      if (table.has(slot, EXTRA)) writeExtra(out, jobs.extra(slot));
    }
  }
}

/** As `restoreJob` of core does it, which is too slow for a million: its facts are copied, and a plain job gets no extra. */
function readJobs(input: ByteReader, queue: QueueState, numbers: ReadonlyMap<number, number>): void {
  for (let left = input.u32(); left > 0; left--) {
    const state = input.u8();
    const flags = input.u8();
    input.words(id);
    const piece = numbers.get(input.u32());
    if (piece === undefined) throw new RangeError("a job is in no page");
    const [offset, size] = [input.u32(), input.u32()];
    const [time, sequence, priority, attempt] = [input.f64(), input.u32(), input.i32(), input.u32()];
    const isPlain = (flags & EXTRA) === 0;
    const extra = isPlain ? USUAL : readExtra(input);
    const { maxAttempts, expiresAt, ownLease, key, group, keepResult } = extra;
    const slot = queue.admit(
      {
        words: id, time, sequence, priority, urgent: (flags & URGENT) !== 0, maxAttempts, expiresAt, ownLease, key, group, keepResult,
        createdAt: 0, dueAt: null,
      },
      state !== DONE,
    ); // prettier-ignore
    queue.jobs.locate(slot, piece, offset, size);
    if (isPlain) queue.reinstate(slot, state, flags, attempt);
    else queue.restore(slot, { state, flags, attempt, extra });
  }
}

function writeExtra(out: ByteWriter, extra: Extra): void {
  const start = out.length;
  out.u32(0);
  let mask = 0;
  let bit = 1;
  for (const name of NUMBERS) {
    const value = extra[name];
    if (value !== USUAL[name]) {
      mask |= bit;
      out.f64(Number(value));
    }
    bit <<= 1;
  }
  for (const name of TEXTS) {
    const value = extra[name];
    if (value !== null) {
      mask |= bit;
      out.text(value);
    }
    bit <<= 1;
  }
  for (const name of BLOBS) {
    const value = extra[name];
    if (value !== null) {
      mask |= bit;
      out.blob(value);
    }
    bit <<= 1;
  }
  if (extra.leasedBy !== null) {
    mask |= LEASED_BY;
    writeId(out, extra.leasedBy);
  }
  if (extra.buryReason !== null) {
    mask |= REASON;
    out.u8(REASONS.indexOf(extra.buryReason));
  }
  out.u32At(start, mask);
}

function readExtra(input: ByteReader): Extra {
  const extra = new Extra();
  const mask = input.u32();
  let bit = 1;
  for (const name of NUMBERS) {
    if ((mask & bit) !== 0) extra[name] = input.f64();
    bit <<= 1;
  }
  for (const name of TEXTS) {
    if ((mask & bit) !== 0) extra[name] = input.text();
    bit <<= 1;
  }
  for (const name of BLOBS) {
    if ((mask & bit) !== 0) extra[name] = input.blob();
    bit <<= 1;
  }
  if ((mask & LEASED_BY) !== 0) extra.leasedBy = readRequest(input);
  if ((mask & REASON) !== 0) extra.buryReason = REASONS[input.u8()] ?? null;
  return extra;
}

// ---- small things -------------------------------------------------------------------------------------------------

function list<T>(out: ByteWriter, items: Iterable<T>, write: (item: T, out: ByteWriter) => void): void {
  const start = out.length;
  let count = 0;
  out.u32(0);
  for (const item of items) {
    write(item, out);
    count++;
  }
  out.u32At(start, count);
}

function listed<T>(input: ByteReader, read: (input: ByteReader) => T): T[] {
  const items: T[] = [];
  for (let left = input.u32(); left > 0; left--) items.push(read(input));
  return items;
}

function writeNumbered(out: ByteWriter, id: string, number: number): void {
  writeId(out, id);
  out.u32(number);
}
