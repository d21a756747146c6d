/** `@pq/redis`: queues on Redis and Valkey. */
import type { Backend } from "@pq/core/backend";
import { RedisBackend } from "./backend.ts";
import { type RedisOptions, resolveOptions } from "./options.ts";

export { redisCapabilities as capabilities } from "./capabilities.ts";
export type { RedisOptions } from "./options.ts";
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
 * A store on Redis or Valkey: one server, a master with sentinels, or a cluster. A string is a URL.
 *
 * Opening rejects with `UNAVAILABLE` when the server cannot be reached or is a replica, `UNSUPPORTED` when it is older than Redis 6.2, and
 * `INCOMPATIBLE_VERSION` when a newer version of this package wrote the data.
 * Throws `TypeError` and `RangeError` for wrong options.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: redis("redis://127.0.0.1:6379") });
 */
export function redis(options: string | RedisOptions = {}): Backend {
  return new RedisBackend(resolveOptions(options));
}
