/**
 * One job's way through a handler.
 *
 *     handler --returns---> ack with the result
 *             --throws----> fail (UnrecoverableError: bury)
 *             --timeout---> signal aborts, fail; the handler is left to end by itself
 *             --settled the job itself--> nothing more to do
 */
import type { SettleOutcome } from "./backend.ts";
import type { Backoff, BackoffFunction } from "./backoff.ts";
import type { Bagged } from "./bag.ts";
import { isPqError, PqError } from "./errors.ts";
import { renewLease } from "./job-host.ts";
import type { JobSource } from "./job-source.ts";
import type { Lease, LeaseWatcher, LostReason } from "./lease.ts";
import { type Job, jobInside } from "./leased-job.ts";
import { trace, traced } from "./tracing.ts";
import type { Handler, WorkerSettings } from "./worker-types.ts";

/** How a handler ended. */
export type HandlerEnd =
  | { readonly type: "returned"; readonly value: unknown }
  | { readonly type: "threw"; readonly error: unknown }
  | Overrun;

/** The handler's time was over before it ended. */
class Overrun {
  readonly type = "timeout";
  readonly error: DOMException;
  /** Resolves when the handler ends after all. */
  readonly end: Promise<void>;

  constructor(timeout: number, end: Promise<void>) {
    this.error = new DOMException(`the handler took longer than ${timeout} ms`, "TimeoutError");
    this.end = end;
  }
}

/** What became of the job. */
export type JobEnd =
  | { readonly type: "completed"; readonly result: unknown }
  | { readonly type: "failed"; readonly error: unknown; readonly buried: boolean }
  | { readonly type: "buried"; readonly error: unknown }
  | { readonly type: "returned" }
  /** `known`: its loss was noticed while the handler ran. */
  | { readonly type: "lost"; readonly known: boolean }
  /** The store did not say; the job comes back if it has to. */
  | { readonly type: "unsettled"; readonly error: unknown };

/** Whose jobs they are, how they are run, and who is told of each. */
export interface JobRunner<Out> {
  readonly source: JobSource<Out>;
  readonly handler: Handler<Out>;
  readonly settings: WorkerSettings;
  readonly lost: (run: JobRun<Out>, reason: LostReason) => void;
  /** The handler has ended; the job is settled next. */
  readonly ended: (run: JobRun<Out>, end: HandlerEnd) => void;
  /** The last that is heard of this run. */
  readonly settled: (run: JobRun<Out>, end: JobEnd) => void;
}

/** A job on its way. */
export class JobRun<Out> implements LeaseWatcher, Bagged {
  readonly job: Job<Out>;
  readonly lease: Lease;
  readonly #runner: JobRunner<Out>;
  /** How long the handler took, in ms. */
  ms = 0;
  place = -1;

  constructor(job: Job<Out>, runner: JobRunner<Out>) {
    this.job = job;
    this.lease = jobInside().lease(job);
    this.#runner = runner;
  }

  /**
   * Run the handler and settle the job. Never rejects, unless the runner's own functions throw.
   * All in one async function: each one more on the way of every job would cost half a kilobyte of garbage.
   */
  async go(): Promise<void> {
    const { job, lease } = this;
    const { source, settings, ended, settled } = this.#runner;
    const { clock } = source;
    const began = clock.monotonic();
    let end: HandlerEnd;
    try {
      const value = await (settings.timeout === undefined ? this.#handle() : this.#handleWithin(settings.timeout));
      end = value instanceof Overrun ? value : { type: "returned", value };
    } catch (error) {
      end = { type: "threw", error };
    }
    this.ms = clock.monotonic() - began;
    ended(this, end);
    let result: JobEnd | undefined;
    while (result === undefined) {
      const known = lease.lost;
      const own = jobInside().settling(job);
      try {
        result = endOf(job, end, await (own ?? settle(job, end, settings.backoff)));
      } catch (error) {
        const next = own === undefined ? settledInstead(job, end, error) : undefined;
        if (next !== undefined) end = next;
        else result = isPqError(error, "LEASE_LOST") ? { type: "lost", known } : { type: "unsettled", error };
      }
    }
    settled(this, result);
  }

  renew(lease: Lease): Promise<boolean> {
    return renewLease(this.#runner.source, lease);
  }

  lost(_lease: Lease, reason: LostReason): void {
    this.#runner.lost(this, reason);
  }

  #handle(): unknown {
    const { job } = this;
    const { source, handler } = this.#runner;
    if (!traced("job")) return handler(job);
    const context = { queue: source.name, backend: source.backendName, jobId: job.id, attempt: job.attempt };
    return trace("job", context, async () => handler(job));
  }

  /** The same with a limit, in ms: when that is over, the job's signal aborts, and the promise resolves with an `Overrun`. */
  #handleWithin(timeout: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const handling = (async () => this.#handle())();
      const timer = this.#runner.source.clock.timer(timeout, () => {
        const ignore = (): void => undefined;
        const overrun = new Overrun(timeout, handling.then(ignore, ignore));
        resolve(overrun);
        this.lease.abort(overrun.error);
      });
      handling.finally(() => timer.cancel()).then(resolve, reject);
    });
  }
}

function settle(job: Job, end: HandlerEnd, backoff: Backoff | BackoffFunction): Promise<SettleOutcome> {
  if (end.type !== "returned") return jobInside().fail(job, end.error, backoff);
  if (gaveUp(job)) throw inVain(job);
  return jobInside().ack(job, end.value);
}

/** The settling failed: what to settle the job as now, if anything. */
function settledInstead(job: Job, end: HandlerEnd, error: unknown): HandlerEnd | undefined {
  if (end.type !== "returned" || gaveUp(job)) return undefined;
  // A result that cannot be stored fails the job, since nobody would ever get it.
  if (isPqError(error, "INVALID_PAYLOAD") || isPqError(error, "PAYLOAD_TOO_LARGE")) return { type: "threw", error };
  // Certainly not applied, and the work is done: go on while the lease lasts. The call itself has waited long enough.
  return isPqError(error, "UNAVAILABLE") && job.holdsLease() ? end : undefined;
}

/** The handler itself wanted something else than an ack, and it was not applied. To return is no ack then: the job comes back with its lease. */
function gaveUp(job: Job): boolean {
  const how = jobInside().how(job);
  return how !== undefined && how !== "ack";
}

function inVain(job: Job): PqError {
  const message = `job ${job.id}: the handler's own call to settle it failed, so it stays leased until its lease ends`;
  return new PqError("UNAVAILABLE", message);
}

function endOf(job: Job, end: HandlerEnd, outcome: SettleOutcome): JobEnd {
  const how = jobInside().how(job);
  const error = end.type === "returned" ? undefined : end.error;
  if (how === "ack") return { type: "completed", result: end.type === "returned" ? end.value : undefined };
  if (how === "fail") return { type: "failed", error, buried: outcome === "buried" };
  return how === "bury" ? { type: "buried", error } : { type: "returned" };
}
