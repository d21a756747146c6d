/** `@pq/core`: the user API, by name. Backends re-export it; authors of backends use `@pq/core/backend`. */
export type { BackendEvent, Counters, Durability, Guarantees, QueueStats } from "./backend.ts";
export { type Backoff, type BackoffFunction, exponential, fixed } from "./backoff.ts";
export type { Capabilities } from "./capabilities.ts";
export type { Clock, Timer } from "./clock.ts";
export { bytes, type Codec, json } from "./codec.ts";
export type { Duration } from "./duration.ts";
export { isPqError, PqError, type PqErrorCode } from "./errors.ts";
export type { QueueEvents } from "./events.ts";
export { UnrecoverableError } from "./failure.ts";
export type { BuryReason, JobId, JobState } from "./job.ts";
export type { JobInfo } from "./job-info.ts";
export { Job } from "./leased-job.ts";
export type { PutDefaults, PutOptions, QueueOptions, TakeOptions, UrgentOptions } from "./options.ts";
export { type JobPage, type PutResult, Queue } from "./queue.ts";
export type { SchemaIssue, SchemaResult, StandardSchemaV1 } from "./schema.ts";
