/**
 * Put: the jobs become PENDING (their ids and keys are taken, nobody sees them), their records and one PUT record go
 * to the log as a batch, and when that is on disk they become ready or delayed. When it cannot be written they vanish again:
 * nobody has seen them.
 */
import type { JobId, NewJob, PutOutcome, PutParams } from "@pq/core/backend";
import {
  DONE,
  type ByteReader,
  type ByteWriter,
  formatJobId,
  parseWords,
  type QueueState,
  recall,
} from "@pq/core/state";
import { FIRST, type FrameWriter, MORE } from "../frame.ts";
import { type JobRecord, readRequest, writeJob, writeRequest } from "../job-record.ts";
import type { LogPlace } from "../payload-reader.ts";
import { JOB, PUT } from "../records.ts";

const ADDED: PutOutcome = Object.freeze({ status: "added" });
const FULL: PutOutcome = Object.freeze({ status: "full" });
const words = new Int32Array(4);

/** A job of a put that was admitted: where its record stands in the group. */
interface Admitted {
  readonly slot: number;
  readonly delayed: boolean;
  readonly urgent: boolean;
  readonly offset: number;
  readonly size: number;
}

/** A put that is decided and written to the group, but not on disk. */
export interface PutDraft {
  readonly outcomes: readonly PutOutcome[];
  readonly admitted: readonly Admitted[];
  /** The jobs belong to this state of the queue; a truncate since has removed them. */
  readonly jobs: QueueState["jobs"];
}

/** A put with its outcomes. */
export interface DecidedPut {
  readonly params: PutParams;
  readonly outcomes: readonly PutOutcome[];
  readonly now: number;
}

/** Decide about each job of a put, changing nothing. */
export function planPut(queue: QueueState, { jobs, maxSize, partial }: PutParams): PutOutcome[] {
  const { jobs: known } = queue;
  const newKeys = new Map<string, JobId>();
  let room = (maxSize ?? Infinity) - known.size;
  let refused = false;
  const outcomes = jobs.map((job): PutOutcome => {
    const holder = holderOf(queue, job, newKeys);
    if (holder !== undefined) return { status: "duplicate", id: holder };
    if (room <= 0) {
      refused = true;
      return FULL;
    }
    room--;
    if (job.key !== null) newKeys.set(job.key, job.id);
    return ADDED;
  });
  return refused && !partial ? jobs.map(() => FULL) : outcomes;
}

/** Admit the jobs that the plan says, and write the batch. */
export function draftPut(queue: QueueState, { params, outcomes, now }: DecidedPut, frames: FrameWriter): PutDraft {
  const start = frames.length;
  const admitted: Admitted[] = [];
  try {
    params.jobs.forEach((job, index) => {
      if (outcomes[index] === ADDED) admitted.push(admit(queue, job, now, frames));
    });
  } catch (error) {
    for (const { slot } of admitted) queue.remove(slot);
    throw error;
  }
  if (admitted.length > 0) frames.markFirst(start);
  frames.begin(PUT, admitted.length === 0 ? FIRST : 0);
  frames.out.u32(queue.number);
  frames.out.f64(now);
  writeRequest(frames.out, params.request);
  writeOutcomes(frames.out, outcomes);
  frames.end();
  count(queue, outcomes, 1);
  queue.counters.urgent += urgentOf(admitted);
  return { outcomes, admitted, jobs: queue.jobs };
}

/** Write the job's record, as one in the middle of a batch, and enter the job. */
function admit(queue: QueueState, job: NewJob, now: number, frames: FrameWriter): Admitted {
  const record = recordOf(queue, job, now);
  const offset = frames.begin(JOB, MORE);
  writeJob(frames.out, record, queue.nameBytes);
  frames.out.bytes(job.payload);
  const size = frames.end();
  return { slot: queue.admit(record), delayed: record.dueAt !== null, urgent: job.urgent, offset, size };
}

/** The batch is on disk, its first byte at this place. */
export function commitPut(queue: QueueState, { admitted, jobs }: PutDraft, segment: number, base: number): void {
  for (const { slot, delayed, offset, size } of admitted) {
    if (jobs !== queue.jobs) continue;
    jobs.locate(slot, segment, base + offset, size);
    queue.commit(slot, delayed);
  }
  if (jobs !== queue.jobs) queue.counters.delete += admitted.length;
}

/** The batch could not be written. */
export function abortPut(queue: QueueState, { outcomes, admitted, jobs }: PutDraft): void {
  count(queue, outcomes, -1);
  queue.counters.urgent -= urgentOf(admitted);
  if (jobs === queue.jobs) for (const { slot } of admitted) queue.remove(slot);
}

/** Replay a JOB record that stands there. */
export function replayJob(queue: QueueState, job: JobRecord, { segment, offset, size }: LogPlace): void {
  const old = queue.jobs.find(job.words);
  if (old >= 0) queue.remove(old);
  queue.sawSequence(job.sequence);
  const slot = queue.admit(job, job.moved?.state !== DONE);
  queue.jobs.locate(slot, segment, offset, size);
  if (job.moved !== null) queue.restore(slot, job.moved);
  else {
    if (job.urgent) queue.counters.urgent++;
    queue.commit(slot, job.dueAt !== null);
  }
}

/** Replay a PUT record; its jobs have been replayed. */
export function replayPut(queue: QueueState, now: number, input: ByteReader): void {
  const request = readRequest(input);
  const outcomes = readOutcomes(input);
  count(queue, outcomes, 1);
  queue.answers.remember(request, now, outcomes.length, recall(outcomes));
}

/** Counted with the record, not with the commit, so that counters in the log speak of what stands before them. */
function count(queue: QueueState, outcomes: readonly PutOutcome[], sign: 1 | -1): void {
  for (const { status } of outcomes) {
    if (status === "added") queue.counters.put += sign;
    if (status === "duplicate") queue.counters.duplicate += sign;
  }
}

function urgentOf(admitted: readonly Admitted[]): number {
  return admitted.reduce((sum, { urgent }) => sum + Number(urgent), 0);
}

function holderOf(queue: QueueState, job: NewJob, newKeys: ReadonlyMap<string, JobId>): JobId | undefined {
  const { jobs } = queue;
  parseWords(job.id, words);
  if (jobs.find(words) >= 0) return job.id;
  if (job.key === null) return undefined;
  const slot = jobs.keys.get(job.key);
  return slot === undefined ? newKeys.get(job.key) : formatJobId(jobs.table.id(slot, words));
}

function recordOf(queue: QueueState, job: NewJob, now: number): JobRecord {
  const dueAt = job.due === null ? now : "in" in job.due ? now + job.due.in : job.due.at;
  const delayed = dueAt > now;
  parseWords(job.id, words);
  return {
    queue: queue.number,
    name: queue.name,
    words,
    createdAt: now,
    time: delayed ? dueAt : queue.fresh(now),
    sequence: ++queue.order >>> 0,
    priority: job.priority,
    urgent: job.urgent,
    maxAttempts: job.maxAttempts,
    expiresAt: job.ttl === null ? null : now + job.ttl,
    ownLease: job.lease,
    key: job.key,
    group: job.group,
    dueAt: delayed ? dueAt : null,
    keepResult: job.keepResult,
    headers: job.headers,
    moved: null,
  };
}

/** Most puts add all their jobs: that is a count alone. Otherwise a byte for each, and the id that a duplicate met. */
function writeOutcomes(out: ByteWriter, outcomes: readonly PutOutcome[]): void {
  const plain = outcomes.every((outcome) => outcome === ADDED);
  out.u32(outcomes.length);
  out.u8(plain ? 1 : 0);
  if (plain) return;
  for (const outcome of outcomes) {
    out.u8(outcome.status === "added" ? 0 : outcome.status === "full" ? 1 : 2);
    if (outcome.status !== "duplicate") continue;
    parseWords(outcome.id, words);
    out.words(words);
  }
}

function readOutcomes(input: ByteReader): PutOutcome[] {
  const length = input.u32();
  if (input.u8() === 1) return Array.from({ length }, () => ADDED);
  return Array.from({ length }, (): PutOutcome => {
    const status = input.u8();
    if (status < 2) return status === 0 ? ADDED : FULL;
    input.words(words);
    return { status: "duplicate", id: formatJobId(words) };
  });
}
