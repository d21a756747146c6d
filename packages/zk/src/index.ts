/** `@pq/zk`: queues on ZooKeeper. */
import type { Backend } from "@pq/core/backend";
import { ZkBackend } from "./backend.ts";
import { type ZkOptions, resolveOptions } from "./options.ts";

export { zkCapabilities as capabilities } from "./capabilities.ts";
export type { ZkOptions } from "./options.ts";
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
 * A store on ZooKeeper: one server or an ensemble. A string is the `hosts`.
 *
 * Opening rejects with `UNAVAILABLE` when no server can be reached, and with `INCOMPATIBLE_VERSION` when a newer version of this package
 * wrote the data. Throws `TypeError` and `RangeError` for wrong options.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: zk("127.0.0.1:2181") });
 */
export function zk(options: string | ZkOptions = {}): Backend {
  return new ZkBackend(resolveOptions(options));
}
