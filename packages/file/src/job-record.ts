/**
 * The body of a JOB record: what the producer said, then, when compaction moved the job, what has become of it,
 * then the payload up to the end.
 *
 *     queue u32, created f64, name (u8 length), id, position (f64 time, u32 sequence), priority u32, max attempts u32,
 *     urgent u8, which of the following are there (u16):
 *     expires f64, own lease f64, key, group, due f64, keep result f64, headers, state block
 *
 * The queue's name is in every job, so that no single damaged record can make others homeless.
 */
import { type BuryReason, UNLIMITED_ATTEMPTS } from "@pq/core/backend";
import {
  type ByteReader,
  type ByteWriter,
  formatRequest,
  type JobFacts,
  type MovedState,
  parseWords,
} from "@pq/core/state";

const EXPIRES = 1;
const LEASE = 2;
const KEY = 4;
const GROUP = 8;
const DUE = 16;
const KEEP = 32;
const HEADERS = 64;
const STATE = 128;

const REASONS: readonly (BuryReason | null)[] = [null, "failed", "lease-expired", "buried"];

/** The reason with this number. */
function buryReason(index: number): BuryReason | null {
  return REASONS[index] ?? null;
}

/** The number of this reason. */
function reasonNumber(reason: BuryReason | null): number {
  return REASONS.indexOf(reason);
}

/** What a JOB record says. */
export interface JobRecord {
  readonly queue: number;
  readonly name: string;
  readonly facts: JobFacts;
  readonly headers: string;
  /** What has become of it since, when compaction moved it. */
  readonly moved: MovedState | null;
}

/** Write the body, but for the payload. */
export function writeJob(out: ByteWriter, job: JobRecord, name: Uint8Array): void {
  const { facts } = job;
  out.u32(job.queue);
  out.f64(facts.createdAt);
  out.u8(name.length);
  out.bytes(name);
  out.words(facts.words);
  out.f64(facts.time);
  out.u32(facts.sequence);
  out.u32(facts.priority);
  out.u32(facts.maxAttempts);
  out.u8(facts.urgent ? 1 : 0);
  out.u16(presence(job));
  if (facts.expiresAt !== null) out.f64(facts.expiresAt);
  if (facts.ownLease !== null) out.f64(facts.ownLease);
  if (facts.key !== null) out.text(facts.key);
  if (facts.group !== null) out.text(facts.group);
  if (facts.dueAt !== null) out.f64(facts.dueAt);
  if (facts.keepResult !== null) out.f64(facts.keepResult);
  if (job.headers !== "") out.text(job.headers);
  if (job.moved !== null) writeState(out, job.moved);
}

/** Which of the optional fields the record has. */
function presence({ facts, headers, moved }: JobRecord): number {
  let has = headers === "" ? 0 : HEADERS;
  if (facts.expiresAt !== null) has |= EXPIRES;
  if (facts.ownLease !== null) has |= LEASE;
  if (facts.key !== null) has |= KEY;
  if (facts.group !== null) has |= GROUP;
  if (facts.dueAt !== null) has |= DUE;
  if (facts.keepResult !== null) has |= KEEP;
  if (moved !== null) has |= STATE;
  return has;
}

/** Read what `writeJob` wrote; the reader then stands at the payload. */
export function readJob(input: ByteReader): JobRecord {
  const queue = input.u32();
  const createdAt = input.f64();
  const name = input.textOf(input.u8());
  const words = new Int32Array(4);
  input.words(words);
  const time = input.f64();
  const sequence = input.u32();
  const priority = input.i32();
  const maxAttempts = Math.min(input.u32(), UNLIMITED_ATTEMPTS);
  const urgent = input.u8() === 1;
  const has = input.u16();
  const facts = {
    words,
    createdAt,
    time,
    sequence,
    priority,
    urgent,
    maxAttempts,
    expiresAt: (has & EXPIRES) === 0 ? null : input.f64(),
    ownLease: (has & LEASE) === 0 ? null : input.f64(),
    key: (has & KEY) === 0 ? null : input.text(),
    group: (has & GROUP) === 0 ? null : input.text(),
    dueAt: (has & DUE) === 0 ? null : input.f64(),
    keepResult: (has & KEEP) === 0 ? null : input.f64(),
  };
  const headers = (has & HEADERS) === 0 ? "" : input.text();
  return { queue, name, facts, headers, moved: (has & STATE) === 0 ? null : readState(input) };
}

/** Write a state block. */
export function writeState(out: ByteWriter, { state, flags, attempt, extra }: MovedState): void {
  out.u8(state);
  out.u8(flags);
  out.u32(attempt);
  out.f64(extra.moment);
  out.f64(extra.since);
  out.f64(extra.order);
  out.f64(extra.fence);
  out.f64(extra.lease);
  out.u8(reasonNumber(extra.buryReason));
  const { leasedBy, lastError, progress, result } = extra;
  out.u8(
    (leasedBy === null ? 0 : 1) |
      (lastError === null ? 0 : 2) |
      (progress === null ? 0 : 4) |
      (result === null ? 0 : 8),
  );
  if (leasedBy !== null) writeRequest(out, leasedBy);
  if (lastError !== null) out.text(lastError);
  if (progress !== null) out.blob(progress);
  if (result !== null) out.blob(result);
}

/** Read a state block. */
export function readState(input: ByteReader): MovedState {
  const state = input.u8();
  const flags = input.u8();
  const attempt = input.u32();
  const moment = input.f64();
  const since = input.f64();
  const order = input.f64();
  const fence = input.f64();
  const lease = input.f64();
  const reason = buryReason(input.u8());
  const has = input.u8();
  const extra = {
    moment,
    since,
    order,
    fence,
    lease,
    buryReason: reason,
    leasedBy: (has & 1) === 0 ? null : readRequest(input),
    lastError: (has & 2) === 0 ? null : input.text(),
    progress: (has & 4) === 0 ? null : input.blob(),
    result: (has & 8) === 0 ? null : input.blob(),
  };
  return { state, flags, attempt, extra };
}

const scratch = new Int32Array(4);

/** Write a request id. */
export function writeRequest(out: ByteWriter, request: string): void {
  parseWords(request, scratch);
  out.words(scratch);
}

/** Read a request id. */
export function readRequest(input: ByteReader): ReturnType<typeof formatRequest> {
  input.words(scratch);
  return formatRequest(scratch);
}
