/**
 * A job as the engine holds it, apart from the slot that it has here. What a queue is besides its jobs stands open in `QueueState`:
 * `paused`, `order`, `freshTime`, `time`, `counters`, `answers`. Whoever gives all of it to a new `QueueState` has one that does the same
 * from then on; the jobs may come in any order.
 */
import type { JobFacts, MovedState } from "./job-facts.ts";
import { DONE, URGENT } from "./job-table.ts";
import { NO_EXTRA } from "./jobs.ts";
import type { QueueState } from "./queue-state.ts";

/** All that the engine knows of a job. */
export interface JobSnapshot {
  /** What a later start needs of it: `createdAt` and `dueAt` have become part of `moved`. */
  readonly facts: Omit<JobFacts, "createdAt" | "dueAt">;
  readonly moved: MovedState;
  /** As it was told to `locate`. */
  readonly piece: number;
  readonly offset: number;
  readonly size: number;
}

/** The job in this slot, which is committed. Good until the queue changes: what is not a number is shared with the queue. */
export function snapshotJob({ jobs }: QueueState, slot: number): JobSnapshot {
  const { table } = jobs;
  const { time, sequence, moved } = jobs.snapshot(slot);
  const { key, group, expiresAt, ownLease, keepResult, maxAttempts } = jobs.extraIfAny(slot) ?? NO_EXTRA;
  const facts = {
    words: table.id(slot, new Int32Array(4)),
    time,
    sequence,
    priority: table.priority(slot),
    urgent: table.has(slot, URGENT),
    maxAttempts,
    expiresAt,
    ownLease,
    key,
    group,
    keepResult,
  };
  return { facts, moved, piece: table.piece(slot), offset: table.offset(slot), size: table.size(slot) };
}

/** Put a job back, whose id the queue does not have; its slot. */
export function restoreJob(queue: QueueState, { facts, moved, piece, offset, size }: JobSnapshot): number {
  const slot = queue.admit({ ...facts, createdAt: 0, dueAt: null }, moved.state !== DONE);
  queue.jobs.locate(slot, piece, offset, size);
  queue.restore(slot, moved);
  return slot;
}
