/**
 * Commands as bytes, little-endian. A number that may be missing has a bit in a byte of flags; a text or a blob comes after its length.
 *
 * ```
 * head     member (16 bytes), number of commands, commands
 * command  its kind (1 byte), what it needs
 * record   checksum of the rest (4), length of the headers (2), headers, payload: one for each job of a put, in the body
 * ```
 */
import type { ControlParams, NewJob, Settlement, Touch } from "@pq/core/backend";
import { ByteReader, ByteWriter, crc32c, USUAL_ATTEMPTS } from "@pq/core/state";
import type { Command, EntryHead, PutCommand, PutJob } from "./commands.ts";
import { readJobId, readRequest, writeId } from "./id-bytes.ts";

const KINDS = ["put", "take", "settle", "touch", "control", "wait", "leave", "gone", "drop"] as const;
const SETTLEMENTS = ["ack", "release", "requeue", "fail", "bury"] as const;
const CONTROLS = ["kick", "dig", "delete", "truncate", "pause", "resume"] as const;
const NO_BYTES = new Uint8Array(0);

/** Bits of a job's flags. */
const URGENT = 1;
const DUE_IN = 2;
const DUE_AT = 4;
const TTL = 8;
const LEASE = 16;
const KEY = 32;
const GROUP = 64;
const MORE = 128;
/** Bits of the second byte of flags. */
const ATTEMPTS = 1;
const KEEP = 2;

/** The bytes of a record before its headers. */
const RECORD_START = 6;

/** The head of an entry as bytes. */
export function encodeHead({ member, commands }: EntryHead): Buffer {
  const out = new ByteWriter(512);
  writeId(out, member);
  out.u32(commands.length);
  for (const command of commands) writeCommand(out, command);
  return out.written;
}

/** What `encodeHead` wrote. Throws a `RangeError` for anything else. */
export function decodeHead(bytes: Buffer): EntryHead {
  const input = new ByteReader(bytes);
  const member = readRequest(input);
  const commands = list(input, readCommand);
  if (input.at !== input.end) throw new RangeError("an entry is longer than its content");
  return { member, commands };
}

/** Write the record of a job. Returns its size. */
export function writeRecord(out: ByteWriter, { headers, payload }: NewJob): number {
  const start = out.length;
  out.u32(0);
  const text = Buffer.from(headers);
  out.u16(text.length);
  out.bytes(text);
  out.bytes(payload);
  out.u32At(start, crc32c(out.written, start + 4, out.length));
  return out.length - start;
}

/** What is in the body of an entry for a job. */
export interface JobRecord {
  readonly headers: string;
  readonly payload: Buffer;
}

/** The record in these bytes; `null` when they are damaged. */
export function readRecord(bytes: Buffer): JobRecord | null {
  if (bytes.length < RECORD_START || bytes.readUInt32LE(0) !== crc32c(bytes, 4)) return null;
  const end = RECORD_START + bytes.readUInt16LE(4);
  return { headers: bytes.toString("utf8", RECORD_START, end), payload: Buffer.from(bytes.subarray(end)) };
}

function writeCommand(out: ByteWriter, command: Command): void {
  out.u8(KINDS.indexOf(command.type));
  switch (command.type) {
    case "put":
      writePut(out, command);
      break;
    case "take":
      writeId(out, command.request);
      out.u32(command.limit);
      out.f64(command.lease);
      break;
    case "settle":
      writeId(out, command.request);
      out.u32(command.items.length);
      for (const item of command.items) writeSettlement(out, item);
      break;
    case "touch":
      writeId(out, command.request);
      out.u32(command.items.length);
      for (const item of command.items) writeTouch(out, item);
      break;
    case "control":
      writeControl(out, command.params);
      break;
    case "wait":
    case "leave":
      out.u32(command.ticket);
      break;
    case "gone":
      out.u32(command.members.length);
      for (const member of command.members) writeId(out, member);
      break;
    case "drop":
      writeId(out, command.id);
      out.f64(command.position);
      break;
  }
}

function readCommand(input: ByteReader): Command {
  const type: Command["type"] | undefined = KINDS[input.u8()];
  switch (type) {
    case "put":
      return readPut(input);
    case "take":
      return { type, request: readRequest(input), limit: input.u32(), lease: input.f64() };
    case "settle":
      return { type, request: readRequest(input), items: list(input, readSettlement) };
    case "touch":
      return { type, request: readRequest(input), items: list(input, readTouch) };
    case "control":
      return { type, params: readControl(input) };
    case "wait":
    case "leave":
      return { type, ticket: input.u32() };
    case "gone":
      return { type, members: list(input, readRequest) };
    case "drop":
      return { type, id: readJobId(input), position: input.f64() };
    case undefined:
      throw new RangeError("an entry has a command of an unknown kind");
  }
}

function writePut(out: ByteWriter, { request, after, maxSize, partial, jobs }: PutCommand): void {
  writeId(out, request);
  out.u8((maxSize === null ? 0 : 1) | (partial ? 2 : 0) | (after === null ? 0 : 4));
  if (after !== null) writeId(out, after);
  if (maxSize !== null) out.f64(maxSize);
  out.u32(jobs.length);
  for (const job of jobs) writeJob(out, job);
}

function readPut(input: ByteReader): PutCommand {
  const request = readRequest(input);
  const flags = input.u8();
  const after = (flags & 4) === 0 ? null : readRequest(input);
  const maxSize = (flags & 1) === 0 ? null : input.f64();
  return { type: "put", request, after, maxSize, partial: (flags & 2) !== 0, jobs: list(input, readJob) };
}

function writeJob(out: ByteWriter, { job, size }: PutJob): void {
  const { due, ttl, lease, key, group, keepResult } = job;
  const more = (job.maxAttempts === USUAL_ATTEMPTS ? 0 : ATTEMPTS) | (keepResult === null ? 0 : KEEP);
  writeId(out, job.id);
  out.u32(job.priority >>> 0);
  out.u32(size);
  out.u8(flagsOf(job) | (more === 0 ? 0 : MORE));
  if (more !== 0) out.u8(more);
  if (due !== null) out.f64("in" in due ? due.in : due.at);
  if (ttl !== null) out.f64(ttl);
  if (lease !== null) out.f64(lease);
  if (key !== null) out.text(key);
  if (group !== null) out.text(group);
  if ((more & ATTEMPTS) !== 0) out.u32(job.maxAttempts);
  if (keepResult !== null) out.f64(keepResult);
}

function flagsOf({ urgent, due, ttl, lease, key, group }: NewJob): number {
  let flags = urgent ? URGENT : 0;
  if (due !== null) flags |= "in" in due ? DUE_IN : DUE_AT;
  if (ttl !== null) flags |= TTL;
  if (lease !== null) flags |= LEASE;
  if (key !== null) flags |= KEY;
  if (group !== null) flags |= GROUP;
  return flags;
}

function readJob(input: ByteReader): PutJob {
  const id = readJobId(input);
  const priority = input.i32();
  const size = input.u32();
  const flags = input.u8();
  const more = (flags & MORE) === 0 ? 0 : input.u8();
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const due = has(DUE_IN) ? { in: input.f64() } : has(DUE_AT) ? { at: input.f64() } : null;
  const ttl = has(TTL) ? input.f64() : null;
  const lease = has(LEASE) ? input.f64() : null;
  const key = has(KEY) ? input.text() : null;
  const group = has(GROUP) ? input.text() : null;
  const maxAttempts = (more & ATTEMPTS) === 0 ? USUAL_ATTEMPTS : input.u32();
  const keepResult = (more & KEEP) === 0 ? null : input.f64();
  const what = { id, priority, urgent: has(URGENT), due, ttl, lease, key, group, maxAttempts, keepResult };
  return { job: { ...what, payload: NO_BYTES, headers: "" }, size };
}

function writeSettlement(out: ByteWriter, item: Settlement): void {
  out.u8(SETTLEMENTS.indexOf(item.type));
  writeId(out, item.id);
  out.f64(item.fence);
  switch (item.type) {
    case "ack":
      writeBlob(out, item.result);
      break;
    case "release":
      out.f64(item.delay);
      break;
    case "fail":
      out.f64(item.delay);
      out.text(item.error);
      break;
    case "bury":
      writeBlob(out, item.error === null ? null : Buffer.from(item.error));
      break;
    case "requeue":
      break;
  }
}

function readSettlement(input: ByteReader): Settlement {
  const type: Settlement["type"] | undefined = SETTLEMENTS[input.u8()];
  const id = readJobId(input);
  const fence = input.f64();
  switch (type) {
    case "ack":
      return { type, id, fence, result: readBlob(input) };
    case "release":
      return { type, id, fence, delay: input.f64() };
    case "requeue":
      return { type, id, fence };
    case "fail":
      return { type, id, fence, delay: input.f64(), error: input.text() };
    case "bury":
      return { type, id, fence, error: readBlob(input)?.toString("utf8") ?? null };
    case undefined:
      throw new RangeError("an entry has a settlement of an unknown kind");
  }
}

function writeTouch(out: ByteWriter, { id, fence, lease, progress }: Touch): void {
  writeId(out, id);
  out.f64(fence);
  out.f64(lease);
  writeBlob(out, progress);
}

function readTouch(input: ByteReader): Touch {
  return { id: readJobId(input), fence: input.f64(), lease: input.f64(), progress: readBlob(input) };
}

type Control = Extract<Command, { type: "control" }>["params"];

function writeControl(out: ByteWriter, params: Control): void {
  out.u8(CONTROLS.indexOf(params.type));
  writeId(out, params.request);
  if (params.type === "kick") out.f64(params.limit);
  if (params.type !== "dig" && params.type !== "delete") return;
  out.u32(params.ids.length);
  for (const id of params.ids) writeId(out, id);
}

function readControl(input: ByteReader): Control {
  const type: ControlParams["type"] | undefined = CONTROLS[input.u8()];
  const request = readRequest(input);
  switch (type) {
    case "kick":
      return { type, request, limit: input.f64() };
    case "dig":
    case "delete":
      return { type, request, ids: list(input, readJobId) };
    case "truncate":
    case "pause":
    case "resume":
      return { type, request };
    case undefined:
      throw new RangeError("an entry has an operator's command of an unknown kind");
  }
}

function writeBlob(out: ByteWriter, bytes: Uint8Array | null): void {
  out.u8(bytes === null ? 0 : 1);
  if (bytes !== null) out.blob(bytes);
}

function readBlob(input: ByteReader): Buffer | null {
  return input.u8() === 0 ? null : input.blob();
}

function list<T>(input: ByteReader, read: (input: ByteReader) => T): T[] {
  const items: T[] = [];
  for (let left = input.u32(); left > 0; left--) items.push(read(input));
  return items;
}
