/** `@pq/mongo`: queues on MongoDB. */
import type { Backend } from "@pq/core/backend";
import { MongoBackend } from "./backend.ts";
import { type MongoOptions, resolveOptions } from "./options.ts";

export { mongoCapabilities as capabilities } from "./capabilities.ts";
export type { MongoOptions } from "./options.ts";
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
 * A store on MongoDB: one server, a replica set, or a sharded cluster. A string is a URL.
 *
 * Opening rejects with `UNAVAILABLE` when the server cannot be reached, `UNSUPPORTED` when it is older than MongoDB 4.4, and
 * `INCOMPATIBLE_VERSION` when a newer version of this package wrote the data.
 * Throws `TypeError` and `RangeError` for wrong options.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: mongo("mongodb://127.0.0.1:27017") });
 */
export function mongo(options: string | MongoOptions = {}): Backend {
  return new MongoBackend(resolveOptions(options));
}
