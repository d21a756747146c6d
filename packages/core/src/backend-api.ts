/** `@pq/core/backend`: all that an author of a backend needs, and nothing else. The seam itself is in `backend.ts`. */
export type {
  Backend,
  BackendEvent,
  ControlParams,
  ControlResult,
  Counters,
  Durability,
  Guarantees,
  OpenParams,
  PutOutcome,
  PutParams,
  QueueStats,
  ReadParams,
  ReadResult,
  SettleOutcome,
  SettleParams,
  Settlement,
  TakeParams,
  Touch,
  TouchParams,
  WaitParams,
} from "./backend.ts";
export { type Capabilities, defineCapabilities } from "./capabilities.ts";
export { type Clock, sleep, systemClock, type Timer } from "./clock.ts";
export { isPqError, PqError, type PqErrorCode } from "./errors.ts";
export { newJobId, newRequestId, parseJobId } from "./id.ts";
export { jobIdFromBytes, jobIdToBytes, readJobId, writeJobId } from "./id-bytes.ts";
export {
  type BuryReason,
  type DeliveredJob,
  type Due,
  JOB_STATES,
  type JobId,
  type JobState,
  type LeaseProof,
  type NewJob,
  type RequestId,
  type StoredJob,
  UNLIMITED_ATTEMPTS,
} from "./job.ts";
