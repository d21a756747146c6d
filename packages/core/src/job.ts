/** The shapes of a job as the stores see it. Imports nothing, so that every other file may import it. */

/**
 * The id of a job: a UUID of version 7 in its 36-character text form, made by the caller's side, never by a store.
 * A store may keep the 16 bytes alone (`jobIdToBytes`).
 */
export type JobId = string & { readonly __jobId: true };

/** The name of one call, made by core and the same on every repetition of that call: 32 hexadecimal characters. */
export type RequestId = string & { readonly __requestId: true };

/** Where a job stands. See `docs/design.md` for the transitions. */
export type JobState = "ready" | "delayed" | "leased" | "buried" | "done";

/** Every state, in the order of a job's life. */
export const JOB_STATES: readonly JobState[] = ["ready", "delayed", "leased", "buried", "done"];

/** Why a job was buried: its last attempt failed, its last lease ran out, or somebody asked for it. */
export type BuryReason = "failed" | "lease-expired" | "buried";

/** When a new job falls due by the store's clock: after so many milliseconds, or at a time (ms since 1970). */
export type Due = { readonly in: number } | { readonly at: number };

/** A job on its way into a store: everything resolved, nothing optional. Times are in milliseconds. */
export interface NewJob {
  readonly id: JobId;
  /** Opaque bytes: given back as they came. */
  readonly payload: Uint8Array;
  /** -2^31 .. 2^31-1, lower is sooner. */
  readonly priority: number;
  /** Before every other job, the newest urgent one first. Never together with `due`. */
  readonly urgent: boolean;
  /** `null`: ready at once. */
  readonly due: Due | null;
  /** Ends the job while it is ready or delayed, counted from the put. `null`: never. */
  readonly ttl: number | null;
  /** How long each lease of this job lasts. `null`: as long as the take says. */
  readonly lease: number | null;
  /** Unique among the queue's ready, delayed, leased and buried jobs. `null`: none. */
  readonly key: string | null;
  /** The strict FIFO lane of the job. `null`: none. */
  readonly group: string | null;
  /** Deliveries until the job is buried, at least 1; `UNLIMITED_ATTEMPTS` for no end. */
  readonly maxAttempts: number;
  /** How long the result is kept after the ack. `null`: the job is gone with its ack. */
  readonly keepResult: number | null;
  /** Text of core's own (backoff, later trace context), at most 4,096 bytes; given back as it came. */
  readonly headers: string;
}

/** `maxAttempts` of a job that is never buried for its attempts. */
export const UNLIMITED_ATTEMPTS: number = 2 ** 31 - 1;

/** The right to settle: the id and the number that grows with every delivery of the job. */
export interface LeaseProof {
  readonly id: JobId;
  /** A positive safe integer, greater at each delivery of the same id: also across restarts of the store, and when the job was gone and its id is put again. */
  readonly fence: number;
}

/** A job as a consumer receives it. */
export interface DeliveredJob extends LeaseProof {
  readonly payload: Uint8Array;
  readonly headers: string;
  readonly priority: number;
  readonly key: string | null;
  readonly group: string | null;
  /** The number of this delivery among those that count, from 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Milliseconds the lease lasts, counted from no later than the moment the take was applied. */
  readonly lease: number;
  /** When the job was put, by the store's clock (ms since 1970). */
  readonly createdAt: number;
  /** What the last attempt failed with. */
  readonly lastError: string | null;
  /** What the holder before this one reported with `touch`. */
  readonly progress: Uint8Array | null;
}

/** A job as an operator sees it: everything the store knows. Times are ms since 1970 by the store's clock. */
export interface StoredJob {
  readonly id: JobId;
  readonly state: JobState;
  readonly payload: Uint8Array;
  readonly headers: string;
  readonly priority: number;
  readonly urgent: boolean;
  readonly key: string | null;
  readonly group: string | null;
  /** Deliveries that count so far. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The fence of the newest delivery, 0 before the first. */
  readonly fence: number;
  readonly createdAt: number;
  /** When a delayed job falls due; else `null`. */
  readonly dueAt: number | null;
  /** When its TTL ends the job (also while it is leased: it counts again once the job is back); `null`: never. */
  readonly expiresAt: number | null;
  /** When the lease of a leased job ends; else `null`. */
  readonly leaseUntil: number | null;
  /** Why a buried job is buried; else `null`. */
  readonly buryReason: BuryReason | null;
  readonly lastError: string | null;
  readonly progress: Uint8Array | null;
  /** The kept result of a done job; `null` when it acked without one, or is not done. */
  readonly result: Uint8Array | null;
}
