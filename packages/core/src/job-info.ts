import { type BuryReason, type JobId, type JobState, type StoredJob, UNLIMITED_ATTEMPTS } from "./job.ts";

/** A job as an operator sees it. Times are ms since 1970 by the store's clock. */
export interface JobInfo<T = unknown> {
  readonly id: JobId;
  readonly state: JobState;
  /** As it was put: decoded, but not run through the schema. `undefined` when it cannot be decoded. */
  readonly payload: T | undefined;
  /** Why the payload cannot be decoded; else `null`. */
  readonly payloadError: unknown;
  readonly priority: number;
  readonly urgent: boolean;
  readonly key: string | null;
  readonly group: string | null;
  /** Deliveries that count so far. */
  readonly attempt: number;
  /** `Infinity` when the job is never buried for its attempts. */
  readonly maxAttempts: number;
  readonly fence: number;
  readonly createdAt: number;
  /** When a delayed job falls due. */
  readonly dueAt: number | null;
  /** When its TTL ends the job. */
  readonly expiresAt: number | null;
  /** When the lease of a leased job ends. */
  readonly leaseUntil: number | null;
  /** Why a buried job is buried. */
  readonly buryReason: BuryReason | null;
  readonly lastError: string | null;
  /** What its holder reported last, decoded; `null` for nothing. */
  readonly progress: unknown;
  /** The kept result of a done job, decoded; `null` for none. */
  readonly result: unknown;
}

/** What an operator sees of a stored job. */
export function jobInfo<T>(job: StoredJob, decode: (bytes: Uint8Array) => unknown): JobInfo<T> {
  const { headers: _headers, payload, progress, result, maxAttempts, ...rest } = job;
  const read = tryDecode(payload, decode);
  return {
    ...rest,
    maxAttempts: maxAttempts === UNLIMITED_ATTEMPTS ? Infinity : maxAttempts,
    payload: read.value as T | undefined,
    payloadError: read.error,
    progress: progress === null ? null : tryDecode(progress, decode).value,
    result: result === null ? null : tryDecode(result, decode).value,
  };
}

function tryDecode(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): { readonly value: unknown; readonly error: unknown } {
  try {
    return { value: decode(bytes), error: null };
  } catch (error) {
    return { value: undefined, error };
  }
}
