import type { BackendEvent } from "./backend.ts";
import type { ErrorEvent } from "./error-reporter.ts";

/** The events of a queue. */
export interface QueueEvents {
  /** Stored data was damaged; it was put aside and harms no other job. */
  readonly damage: BackendEvent;
  /** The connection to the store went. */
  readonly disconnected: BackendEvent;
  /** The connection to the store is back. */
  readonly reconnected: BackendEvent;
  /** A setting of the store became weak. */
  readonly warning: BackendEvent;
  /** Something failed that no call can report: a payload that cannot be decoded, a job that could not be given back. */
  readonly error: ErrorEvent;
}
