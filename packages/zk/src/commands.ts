/**
 * What the log of a queue consists of: commands, in the order in which ZooKeeper accepted them. Nothing else changes a queue, and
 * everybody who reads them comes to the same state, so what a command does is decided by its place in the log, and by nobody before.
 */
import type { ControlParams, JobId, NewJob, RequestId, Settlement, Touch } from "@pq/core/backend";

/** A session that takes part: 32 hexadecimal characters, the name of its ephemeral node. */
export type Member = string;

/** A job of a put. Its payload and headers stand in the body of the entry, and are empty in a command that was read. */
export interface PutJob {
  readonly job: NewJob;
  /** What they take there, in bytes. */
  readonly size: number;
}

/** Store jobs. */
export interface PutCommand {
  readonly type: "put";
  readonly request: RequestId;
  /** The put that must come before this one. */
  readonly after: RequestId | null;
  readonly maxSize: number | null;
  readonly partial: boolean;
  readonly jobs: readonly PutJob[];
}

/** One step of a queue. */
export type Command =
  | PutCommand
  | { readonly type: "take"; readonly request: RequestId; readonly limit: number; readonly lease: number }
  | { readonly type: "settle"; readonly request: RequestId; readonly items: readonly Settlement[] }
  | { readonly type: "touch"; readonly request: RequestId; readonly items: readonly Touch[] }
  | { readonly type: "control"; readonly params: Omit<ControlParams, "queue"> & ControlKind }
  /** Somebody waits: wake this one for one of the next jobs that become ready. */
  | { readonly type: "wait"; readonly ticket: number }
  /** The one who waited under this ticket does not any more. If it was woken, wake another. */
  | { readonly type: "leave"; readonly ticket: number }
  /** These sessions are over: what they leased comes back, and they wait for nothing. */
  | { readonly type: "gone"; readonly members: readonly Member[] }
  /** The record of this job, put by the entry at this position, cannot be read: it is no job any more. */
  | { readonly type: "drop"; readonly id: JobId; readonly position: number };

type ControlKind =
  | { readonly type: "kick"; readonly limit: number }
  | { readonly type: "dig" | "delete"; readonly ids: readonly JobId[] }
  | { readonly type: "truncate" | "pause" | "resume" };

/** What an entry says: who wrote it, and what is to be done. Without commands it only tells the time. */
export interface EntryHead {
  readonly member: Member;
  readonly commands: readonly Command[];
}
