/**
 * Put: the jobs become PENDING (their ids and keys are taken, nobody sees them), their records and one PUT record go
 * to the log as a batch, and when that is on disk they become ready or delayed. When it cannot be written they vanish again:
 * nobody has seen them.
 */
import type { NewJob, PutOutcome, PutParams } from "@pq/core/backend";
import {
  ADDED, type ByteReader, type ByteWriter, countOutcomes, countPut, DONE, factsOf, formatJobId, FULL, parseWords, type QueueState, recall,
} from "@pq/core/state"; // prettier-ignore
import { FIRST, type FrameWriter, MORE } from "../frame.ts";
import { type JobRecord, readRequest, writeJob, writeRequest } from "../job-record.ts";
import type { LogPlace } from "../payload-reader.ts";
import { JOB, PUT } from "../records.ts";

const words = new Int32Array(4);

/** A job of a put that was admitted: where its record stands in the group. */
interface Admitted {
  readonly slot: number;
  readonly delayed: boolean;
  readonly offset: number;
  readonly size: number;
}

/** A put that is decided and written to the group, but not on disk. */
export interface PutDraft {
  readonly put: DecidedPut;
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

/** Admit the jobs that the plan says, and write the batch. */
export function draftPut(queue: QueueState, put: DecidedPut, frames: FrameWriter): PutDraft {
  const { params, outcomes, now } = put;
  const start = frames.length;
  const admitted: Admitted[] = [];
  try {
    params.jobs.forEach((job, index) => {
      if (outcomes[index]?.status === "added") admitted.push(admit(queue, job, now, frames));
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
  // Counted with the record, not with the commit, so that counters in the log speak of what stands before them.
  countPut(queue, params.jobs, outcomes);
  return { put, admitted, jobs: queue.jobs };
}

/** Write the job's record, as one in the middle of a batch, and enter the job. */
function admit(queue: QueueState, job: NewJob, now: number, frames: FrameWriter): Admitted {
  const facts = factsOf(queue, job, now, words);
  const record = { queue: queue.number, name: queue.name, facts, headers: job.headers, moved: null };
  const offset = frames.begin(JOB, MORE);
  writeJob(frames.out, record, queue.nameBytes);
  frames.out.bytes(job.payload);
  const size = frames.end();
  return { slot: queue.admit(facts), delayed: facts.dueAt !== null, offset, size };
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
export function abortPut(queue: QueueState, { put, admitted, jobs }: PutDraft): void {
  countPut(queue, put.params.jobs, put.outcomes, -1);
  if (jobs === queue.jobs) for (const { slot } of admitted) queue.remove(slot);
}

/** Replay a JOB record that stands there. */
export function replayJob(queue: QueueState, { facts, moved }: JobRecord, { segment, offset, size }: LogPlace): void {
  const old = queue.jobs.find(facts.words);
  if (old >= 0) queue.remove(old);
  queue.sawSequence(facts.sequence);
  const slot = queue.admit(facts, moved?.state !== DONE);
  queue.jobs.locate(slot, segment, offset, size);
  if (moved !== null) queue.restore(slot, moved);
  else {
    if (facts.urgent) queue.counters.urgent++;
    queue.commit(slot, facts.dueAt !== null);
  }
}

/** Replay a PUT record; its jobs have been replayed. */
export function replayPut(queue: QueueState, now: number, input: ByteReader): void {
  const request = readRequest(input);
  const outcomes = readOutcomes(input);
  countOutcomes(queue, outcomes);
  queue.answers.remember(request, now, outcomes.length, recall(outcomes));
}

/** Most puts add all their jobs: that is a count alone. Otherwise a byte for each, and the id that a duplicate met. */
function writeOutcomes(out: ByteWriter, outcomes: readonly PutOutcome[]): void {
  const plain = outcomes.every(({ status }) => status === "added");
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
