/**
 * The bytes `s` of a page: its jobs, then the memory of the calls that changed them.
 *
 *     u8 format   u16 jobs   job …   u16 calls   call …
 *     job:  u32 flags   16 bytes id   u32 size   i32 maxAttempts   then those of FIELDS whose flag is set, in their order
 *     call: 16 bytes request   f64 ms   u16 items   (u16 index of the job, u8 outcome) …
 *
 * Flags: bits 0-2 the state, 3 urgent, 4 returned, 5 armed, from 6 on one for each of FIELDS. A field without its flag has the value of a job
 * that was just put: most jobs of a page have none. Of a job that is gone only the index is kept.
 */
import { type BuryReason, type JobId, PqError, type RequestId } from "@pq/core/backend";
import { Reader, Writer } from "./bytes.ts";
import type { PageJob, RecordState } from "./job.ts";
import type { Stamp } from "./place.ts";

const LAYOUT = 1;
const STATES: readonly RecordState[] = ["ready", "delayed", "leased", "buried", "done", "gone", "damaged"];
const REASONS: readonly (BuryReason | null)[] = [null, "failed", "lease-expired", "buried"];
const OUTCOMES = ["gone", "ready", "delayed", "leased", "buried", "done", "touched", "changed"] as const;

const URGENT = 1 << 3;
const RETURNED = 1 << 4;
const ARMED = 1 << 5;
const FIRST_FIELD = 6;
const HAS_STAMP = 1 << (FIRST_FIELD + 1);
const FIXED_BYTES = 28;
const ATTACHMENT_BYTES = 12;
const REQUEST_BYTES = 16;

/** What a call did to one job: the state after a settlement, or that it was touched, or changed by an operator. */
export type Outcome = (typeof OUTCOMES)[number];

/** What a call did to a page. */
interface CallMemory {
  /** When, by the server's clock. */
  readonly ms: number;
  /** By `PageJob.index`. */
  readonly outcomes: Map<number, Outcome>;
}

/** The calls that a page remembers. */
export type Calls = Map<RequestId, CallMemory>;

/** A field that most jobs do not need. */
interface Field {
  readonly name: keyof PageJob;
  /** Its value in a job that was just put. The stamp's is that of the put. */
  readonly none?: null | 0;
  readonly write: (writer: Writer, value: never) => void;
  readonly read: (reader: Reader) => PageJob[keyof PageJob];
}

const f64 = { write: (writer: Writer, value: number) => writer.f64(value), read: (reader: Reader) => reader.f64() };
const u32 = { write: (writer: Writer, value: number) => writer.u32(value), read: (reader: Reader) => reader.u32() };
const i32 = { write: (writer: Writer, value: number) => writer.i32(value), read: (reader: Reader) => reader.i32() };
const text = { write: (writer: Writer, value: string) => writer.text(value), read: (reader: Reader) => reader.text() };
const hex = (length: number) => ({
  write: (writer: Writer, value: string) => writer.hex(value),
  read: (reader: Reader) => reader.hex(length),
});
const stamp = {
  write(writer: Writer, { ms, n, i }: Stamp) {
    writer.f64(ms);
    writer.f64(n);
    writer.u16(i);
  },
  read: (reader: Reader): Stamp => ({ ms: reader.f64(), n: reader.f64(), i: reader.u16() }),
};
const reason = {
  write: (writer: Writer, value: BuryReason) => writer.u8(REASONS.indexOf(value)),
  read: (reader: Reader) => nth(REASONS, reader.u8()),
};

/** Their order is that of their flags and of their bytes: new ones go to the end. */
const FIELDS: readonly Field[] = [
  { name: "index", ...u32 },
  { name: "stamp", ...stamp },
  { name: "priority", none: 0, ...i32 },
  { name: "key", none: null, ...text },
  { name: "group", none: null, ...text },
  { name: "ownLease", none: null, ...f64 },
  { name: "keepResult", none: null, ...f64 },
  { name: "expiresAt", none: null, ...f64 },
  { name: "deliveries", none: 0, ...u32 },
  { name: "attempt", none: 0, ...u32 },
  { name: "until", none: null, ...f64 },
  { name: "lease", none: 0, ...f64 },
  { name: "takenBy", none: null, ...hex(REQUEST_BYTES) },
  { name: "turn", none: 0, ...u32 },
  { name: "since", none: null, ...stamp },
  { name: "buryReason", none: null, ...reason },
  { name: "lastError", none: null, ...hex(ATTACHMENT_BYTES) },
  { name: "progress", none: null, ...hex(ATTACHMENT_BYTES) },
  { name: "result", none: null, ...hex(ATTACHMENT_BYTES) },
];

/** What `s` holds. */
export interface Contents {
  readonly jobs: PageJob[];
  readonly calls: Calls;
}

const NO_STAMP: Stamp = { ms: 0, n: 0, i: 0 };

/** What a job is unless its record says otherwise; without its stamp. */
export function freshJob(id: JobId, index: number, size: number, maxAttempts: number): PageJob {
  return {
    id,
    index,
    size,
    priority: 0,
    key: null,
    group: null,
    maxAttempts,
    ownLease: null,
    keepResult: null,
    expiresAt: null,
    state: "ready",
    urgent: false,
    returned: false,
    stamp: NO_STAMP,
    armed: false,
    deliveries: 0,
    attempt: 0,
    until: null,
    lease: 0,
    takenBy: null,
    turn: 0,
    since: null,
    buryReason: null,
    lastError: null,
    progress: null,
    result: null,
  };
}

/** `at` and `n` of the page: what the stamps of its jobs are by themselves. */
export function encode({ jobs, calls }: Contents, at: number, n: number): Buffer {
  const writer = new Writer(64 + jobs.length * (FIXED_BYTES + 8));
  writer.u8(LAYOUT);
  writer.u16(jobs.length);
  jobs.forEach((job, position) => writeJob(writer, job, { position, at, n }));
  writer.u16(calls.size);
  for (const [request, { ms, outcomes }] of calls) {
    writer.hex(request);
    writer.f64(ms);
    writer.u16(outcomes.size);
    for (const [index, outcome] of outcomes) {
      writer.u16(index);
      writer.u8(OUTCOMES.indexOf(outcome));
    }
  }
  return writer.done();
}

/** The reverse. Throws `CORRUPT` for bytes that `encode` cannot have made. */
export function decode(bytes: Uint8Array, at: number, n: number): Contents {
  const reader = new Reader(bytes);
  if (reader.u8() !== LAYOUT) throw new PqError("CORRUPT", "a page has a layout that is not known");
  const jobs = Array.from({ length: reader.u16() }, (_, position) => readJob(reader, position, at, n));
  const calls: Calls = new Map();
  for (let left = reader.u16(); left > 0; left--) {
    const request = reader.hex(REQUEST_BYTES) as RequestId;
    const ms = reader.f64();
    const outcomes = new Map<number, Outcome>();
    for (let items = reader.u16(); items > 0; items--) outcomes.set(reader.u16(), nth(OUTCOMES, reader.u8()));
    calls.set(request, { ms, outcomes });
  }
  if (!reader.done) throw new PqError("CORRUPT", "a page goes on behind its end");
  return { jobs, calls };
}

/** Where a job stands that was just put. */
interface Fresh {
  readonly position: number;
  readonly at: number;
  readonly n: number;
}

function writeJob(writer: Writer, job: PageJob, fresh: Fresh): void {
  let flags = STATES.indexOf(job.state);
  if (job.urgent) flags |= URGENT;
  if (job.returned) flags |= RETURNED;
  if (job.armed) flags |= ARMED;
  const fields = job.state === "gone" ? 1 : FIELDS.length;
  for (let field = 0; field < fields; field++) {
    if (!isFresh(job, FIELDS[field]!, fresh)) flags |= 1 << (FIRST_FIELD + field);
  }
  writer.u32(flags);
  writer.id(job.id);
  writer.u32(job.size);
  writer.i32(job.maxAttempts);
  for (let bits = flags >>> FIRST_FIELD, field = 0; bits !== 0; bits >>>= 1, field++) {
    if ((bits & 1) === 1) FIELDS[field]!.write(writer, job[FIELDS[field]!.name] as never);
  }
}

function isFresh(job: PageJob, { name, none }: Field, { position, at, n }: Fresh): boolean {
  if (name === "stamp") return job.stamp.ms === at && job.stamp.n === n && job.stamp.i === job.index;
  if (name === "index") return job.index === position;
  return job[name] === none;
}

function readJob(reader: Reader, position: number, at: number, n: number): PageJob {
  const flags = reader.u32();
  const id = reader.id();
  const size = reader.u32();
  const job = freshJob(id, position, size, reader.i32());
  const fields = job as unknown as Record<string, unknown>;
  for (let bits = flags >>> FIRST_FIELD, field = 0; bits !== 0; bits >>>= 1, field++) {
    if ((bits & 1) === 1) fields[nth(FIELDS, field).name] = nth(FIELDS, field).read(reader);
  }
  job.state = nth(STATES, flags & 7);
  job.urgent = (flags & URGENT) !== 0;
  job.returned = (flags & RETURNED) !== 0;
  job.armed = (flags & ARMED) !== 0;
  if ((flags & HAS_STAMP) === 0) job.stamp = { ms: at, n, i: job.index };
  return job;
}

function nth<T>(values: readonly T[], index: number): T {
  if (index >= values.length) throw new PqError("CORRUPT", "a page holds a value that is not known");
  return values[index]!;
}
