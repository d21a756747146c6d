/** `@pq/tarantool`: queues on Tarantool. */
import type { Backend } from "@pq/core/backend";
import { TarantoolBackend } from "./backend.ts";
import { type TarantoolOptions, resolveOptions } from "./options.ts";

export { tarantoolCapabilities as capabilities } from "./capabilities.ts";
export type { TarantoolOptions } from "./options.ts";
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
 * A store on Tarantool: one server, or the master of a replica set. A string is a URL.
 *
 * Opening rejects with `UNAVAILABLE` when no server that takes writes can be reached, `UNSUPPORTED` when the stored scripts are missing and may not be
 * installed, and `INCOMPATIBLE_VERSION` when a newer version of this package wrote the data. Throws `TypeError` and `RangeError` for wrong options.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: tarantool("tarantool://worker:secret@127.0.0.1:3301") });
 */
export function tarantool(options: string | TarantoolOptions = {}): Backend {
  return new TarantoolBackend(resolveOptions(options));
}
