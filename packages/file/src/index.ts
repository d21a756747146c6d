/** `@pq/file`: queues in a folder. */
import type { Backend } from "@pq/core/backend";
import { FileBackend } from "./backend.ts";
import { type FileOptions, resolveOptions } from "./options.ts";

export { fileCapabilities as capabilities } from "./capabilities.ts";
export type { FileOptions } from "./options.ts";
// The user API, so that users install this package alone.
export {
  type BackendEvent,
  type Backoff,
  type BackoffFunction,
  type BuryReason,
  bytes,
  type Capabilities,
  type Clock,
  type CloseReport,
  type Codec,
  type ConsumeOptions,
  type Consumer,
  type Counters,
  type Durability,
  type Duration,
  type ErrorEvent,
  exponential,
  fixed,
  type Guarantees,
  type Handler,
  type Health,
  isPqError,
  Job,
  type JobId,
  type JobInfo,
  type JobPage,
  type JobState,
  json,
  type ListOptions,
  type LostReason,
  PqError,
  type PqErrorCode,
  type PutDefaults,
  type PutManyOptions,
  type PutOptions,
  type PutResult,
  Queue,
  type QueueEvents,
  type QueueOptions,
  type QueueStats,
  type SchemaIssue,
  type SchemaResult,
  type StandardSchemaV1,
  type TakeOptions,
  type Timer,
  UnrecoverableError,
  type UrgentOptions,
  Worker,
  type WorkerEvents,
  type WorkerOptions,
  type WorkerState,
} from "@pq/core";

/**
 * A store in a folder of this machine. Durable by default: what is accepted survives a power failure.
 *
 * Opening rejects with `LOCKED` when another process owns the folder, `INCOMPATIBLE_VERSION` when a newer version of this
 * package wrote it, `CORRUPT` when it holds something else, `UNAVAILABLE` when the system refuses.
 * Throws `TypeError` and `RangeError` for wrong options.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: file("./data") });
 */
export function file(options: string | FileOptions): Backend {
  return new FileBackend(resolveOptions(options));
}
