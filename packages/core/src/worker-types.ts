import type { Backoff, BackoffFunction } from "./backoff.ts";
import type { Duration } from "./duration.ts";
import type { ErrorEvent } from "./error-reporter.ts";
import type { LostReason } from "./lease.ts";
import type { Job } from "./leased-job.ts";

/** Works on a job. What it returns is the job's result; what it throws fails the job. It may also settle the job itself. */
export type Handler<Out> = (job: Job<Out>) => unknown;

/** Options of a worker. */
export interface WorkerOptions {
  /** How many handlers run at a time. Default 1. */
  readonly concurrency?: number;
  /**
   * How many jobs are taken ahead of a free slot, to spare round trips. A job that does not get a slot within a second is given back.
   * Default: none while handlers take longer than a few milliseconds; with quicker ones, as many as keep the slots busy.
   * A process that dies burns an attempt of the jobs it had taken ahead, too: say 0 where `maxAttempts` is 1.
   */
  readonly prefetch?: number;
  /** The lease of jobs that bring none of their own. It is renewed while the handler runs. Default: the queue's. */
  readonly lease?: Duration;
  /** A handler may run so long: then `job.signal` aborts with a `TimeoutError`, the job fails, and the slot is free. Default: for ever. */
  readonly timeout?: Duration;
  /** How long a failed job waits that brings no backoff of its own: `exponential()`, `fixed()`, or a function. Default: `exponential()`. */
  readonly backoff?: Backoff | BackoffFunction;
  /** Closes the worker. */
  readonly signal?: AbortSignal;
}

/** What options come to. */
export interface WorkerSettings {
  readonly concurrency: number;
  readonly prefetch: number | undefined;
  readonly lease: number;
  readonly timeout: number | undefined;
  readonly backoff: Backoff | BackoffFunction;
}

/** How a worker ended. */
export interface CloseReport {
  /** Handlers that ran when it began to close, and came to their end. */
  readonly finished: number;
  /** Jobs that were taken, not started, and given back. */
  readonly returned: number;
  /** Jobs whose handlers still ran at the end, or that could not be settled or given back: others get them when their leases run out. */
  readonly abandoned: number;
}

/** Would a job put now be taken? */
export interface Health {
  readonly ok: boolean;
  /** Why not. */
  readonly reason?: string;
  readonly running: number;
  readonly buffered: number;
  /** How many ms ago the store answered the worker's last take; `null` when it never did. */
  readonly lastContact: number | null;
}

/** Where a worker stands. */
export type WorkerState = "running" | "paused" | "closing" | "closed";

/** The events of a worker. */
export interface WorkerEvents<Out> {
  /** A handler begins. */
  readonly active: { readonly job: Job<Out> };
  /** Acked; `ms` is what the handler took. */
  readonly completed: { readonly job: Job<Out>; readonly result: unknown; readonly ms: number };
  /** The attempt failed, and the store knows. */
  readonly failed: { readonly job: Job<Out>; readonly error: unknown; readonly willRetry: boolean };
  /** The job is buried. */
  readonly buried: { readonly job: Job<Out>; readonly error: unknown };
  /** The lease is gone; whoever gets the job next does the work again. */
  readonly lost: { readonly job: Job<Out>; readonly reason: LostReason };
  /** The event loop did not get to run its timers for so many ms, at least. */
  readonly blocked: { readonly ms: number };
  /** The store failed; the worker goes on by itself. Also a handler that goes on after its time is over. */
  readonly error: ErrorEvent;
  /** The store answers again. */
  readonly recovered: { readonly failures: number };
  /** Nothing runs, and nothing is buffered. */
  readonly idle: undefined;
  readonly closed: CloseReport;
}
