/** What the operating system's errors mean for a call. */
import { PqError } from "@pq/core/backend";

/** The code of a system error, such as `ENOSPC`. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The disk, or the user's share of it, is full. */
export function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** A call that was certainly not applied. */
export function unavailable(what: string, cause?: unknown): PqError {
  return new PqError("UNAVAILABLE", withCode(what, cause), { cause });
}

/** A call that may have been applied. */
export function outcomeUnknown(what: string, cause?: unknown): PqError {
  return new PqError("OUTCOME_UNKNOWN", withCode(what, cause), { cause });
}

/** Stored data that cannot be used. */
export function corrupt(what: string, cause?: unknown): PqError {
  return new PqError("CORRUPT", withCode(what, cause), { cause });
}

/** An error of opening: ours as it is, any other as `UNAVAILABLE`. */
export function openingError(folder: string, error: unknown): PqError {
  return error instanceof PqError ? error : unavailable(`the store in ${folder} could not be opened`, error);
}

function withCode(what: string, cause: unknown): string {
  const code = systemCode(cause);
  return code === undefined ? what : `${what} (${code})`;
}
