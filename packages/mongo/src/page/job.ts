/** A job inside a page. */
import type { BuryReason, JobId, JobState, RequestId } from "@pq/core/backend";
import type { Stamp } from "./place.ts";

/**
 * The state of a job in a page. One that is gone keeps its record until the page goes, so that repeated calls find what became of it.
 * One whose payload could not be read is damaged: it is left where it is, for an operator, until it is deleted.
 */
export type RecordState = JobState | "gone" | "damaged";

/** The name of an error, progress or result in `bodies`: 12 bytes in hexadecimal. */
export type Attachment = string;

/** Times are ms since 1970 by the server's clock, durations ms; 0 where there is none would be a time, so `null` is. */
export interface PageJob {
  readonly id: JobId;
  /** Its index in the put: where its payload is. */
  readonly index: number;
  /** Bytes of payload and headers. */
  readonly size: number;
  readonly priority: number;
  readonly key: string | null;
  readonly group: string | null;
  readonly maxAttempts: number;
  readonly ownLease: number | null;
  readonly keepResult: number | null;
  readonly expiresAt: number | null;

  state: RecordState;
  urgent: boolean;
  /** Returned jobs come before fresh ones of their priority. */
  returned: boolean;
  stamp: Stamp;
  /** It is the turn of this job in its group. */
  armed: boolean;
  /** All deliveries in this life of its id: the newest fence comes from it. */
  deliveries: number;
  /** Deliveries that count. */
  attempt: number;
  /** When it falls due, its lease ends or its result is kept no longer. */
  until: number | null;
  /** The length of its lease. */
  lease: number;
  takenBy: RequestId | null;
  /** Its place in the answer of the take. */
  turn: number;
  /** When it was buried or done: the order in which those are listed. */
  since: Stamp | null;
  buryReason: BuryReason | null;
  lastError: Attachment | null;
  progress: Attachment | null;
  result: Attachment | null;
}
