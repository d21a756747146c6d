/** The closed set of error codes. Codes are stable across versions, messages are not. */
export type PqErrorCode =
  | "LEASE_LOST"
  | "QUEUE_FULL"
  | "NOT_FOUND"
  | "INVALID_STATE"
  | "INVALID_PAYLOAD"
  | "PAYLOAD_TOO_LARGE"
  | "UNSUPPORTED"
  | "UNAVAILABLE"
  | "OUTCOME_UNKNOWN"
  | "WEAK_SETTINGS"
  | "LOCKED"
  | "CORRUPT"
  | "INCOMPATIBLE_VERSION"
  | "CLOSED";

/** Codes after which the same call may succeed later without anybody mending anything. */
const RETRYABLE: ReadonlySet<PqErrorCode> = new Set(["UNAVAILABLE", "OUTCOME_UNKNOWN", "QUEUE_FULL"]);

/** Marks errors of this library across copies of the package in one process. */
const BRAND = Symbol.for("@pq/PqError");

/**
 * Every error that a store or the state of a job can cause. Wrong arguments are `TypeError` or `RangeError` instead.
 *
 * | code | it means | what to do |
 * |---|---|---|
 * | `LEASE_LOST` | the lease ran out, was taken over, or the job was removed; nothing was changed | drop the work, its next holder does it |
 * | `QUEUE_FULL` | `maxSize` is reached; nothing was stored | wait (`timeout`), or shed load |
 * | `NOT_FOUND` | no job of that id | |
 * | `INVALID_STATE` | the job is not in a state that allows this, or no transaction is under way | |
 * | `INVALID_PAYLOAD` | the payload cannot be encoded, decoded, or fails the schema | mend the producer |
 * | `PAYLOAD_TOO_LARGE` | a limit of the store, named in the message; nothing was stored | store the data elsewhere, queue a reference |
 * | `UNSUPPORTED` | this store cannot do that (see `capabilities`) | |
 * | `UNAVAILABLE` | the store did not apply the call | retry |
 * | `OUTCOME_UNKNOWN` | the store may or may not have applied the call | retry with the same job id |
 * | `WEAK_SETTINGS` | the server's settings are weaker than `requires` | change the setting that the message names |
 * | `LOCKED` | another process owns the store | |
 * | `CORRUPT` | stored data is damaged | |
 * | `INCOMPATIBLE_VERSION` | stored data is of a newer format | upgrade this package |
 * | `CLOSED` | the queue, worker or backend is closed | |
 */
export class PqError extends Error {
  override readonly name = "PqError";
  readonly code: PqErrorCode;
  /** The same call may succeed later as it is. */
  readonly retryable: boolean;

  constructor(code: PqErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.retryable = RETRYABLE.has(code);
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Is this an error of @pq, of this code if one is given? Also true for errors of another copy of the package. */
export function isPqError(error: unknown, code?: PqErrorCode): error is PqError {
  if (typeof error !== "object" || error === null || !(BRAND in error)) return false;
  return code === undefined || ("code" in error && error.code === code);
}
