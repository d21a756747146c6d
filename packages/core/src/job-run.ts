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
import type { Clock } from "./clock.ts";
import { isPqError, PqError } from "./errors.ts";
import { type Job, jobInside } from "./leased-job.ts";
import type { Handler } from "./worker-types.ts";

/** How a handler ended. */
export type HandlerEnd =
  | { readonly type: "returned"; readonly value: unknown }
  | { readonly type: "threw"; readonly error: unknown }
  | {
      readonly type: "timeout";
      readonly error: unknown;
      /** Resolves when the handler ends after all. */ readonly end: Promise<void>;
    };

/** What became of the job. */
export type JobEnd =
  | { readonly type: "completed" }
  | { readonly type: "failed"; readonly error: unknown; readonly buried: boolean }
  | { readonly type: "buried"; readonly error: unknown }
  | { readonly type: "returned" }
  /** `known`: its loss was noticed while the handler ran. */
  | { readonly type: "lost"; readonly known: boolean }
  /** The store did not say; the job comes back if it has to. */
  | { readonly type: "unsettled"; readonly error: unknown };

/** Run the handler. Never rejects. */
export async function runHandler<Out>(
  job: Job<Out>,
  handler: Handler<Out>,
  { clock, timeout }: { readonly clock: Clock; readonly timeout: number | undefined },
): Promise<HandlerEnd> {
  if (timeout !== undefined) return withTimeout(job, handler, { clock, timeout });
  try {
    return { type: "returned", value: await handler(job) };
  } catch (error) {
    return { type: "threw", error };
  }
}

function withTimeout<Out>(
  job: Job<Out>,
  handler: Handler<Out>,
  { clock, timeout }: { readonly clock: Clock; readonly timeout: number },
): Promise<HandlerEnd> {
  return new Promise((resolve) => {
    const running = runHandler(job, handler, { clock, timeout: undefined });
    const timer = clock.timer(timeout, () => {
      const error = new DOMException(`the handler took longer than ${timeout} ms`, "TimeoutError");
      resolve({ type: "timeout", error, end: running.then(() => undefined) });
      jobInside().lease(job).abort(error);
    });
    running.then(
      (end) => {
        timer.cancel();
        resolve(end);
      },
      () => undefined,
    );
  });
}

/** Settle the job as its handler ended. Never rejects. */
export async function settleAfter<Out>(
  job: Job<Out>,
  end: HandlerEnd,
  backoff: Backoff | BackoffFunction,
): Promise<JobEnd> {
  const inside = jobInside();
  const known = inside.lease(job).lost;
  const own = inside.settling(job);
  try {
    if (own !== undefined) return endOf(inside.how(job), await own, end);
    if (end.type === "returned" && gaveUp(inside.how(job))) return { type: "unsettled", error: givenBackInVain(job) };
    if (end.type !== "returned") return endOf("fail", await inside.fail(job, end.error, backoff), end);
    await inside.ack(job, end.value);
    return COMPLETED;
  } catch (error) {
    if (isPqError(error, "LEASE_LOST")) return { type: "lost", known };
    // What the handler began itself, and does not wait for, is not made an ack when it fails.
    if (end.type !== "returned" || own !== undefined) return { type: "unsettled", error };
    // A result that cannot be stored fails the job, since nobody would ever get it.
    if (isPqError(error, "INVALID_PAYLOAD") || isPqError(error, "PAYLOAD_TOO_LARGE")) {
      return settleAfter(job, { type: "threw", error }, backoff);
    }
    // Certainly not applied, and the work is done: go on while the lease lasts. The call itself has waited long enough.
    if (isPqError(error, "UNAVAILABLE") && job.holdsLease()) return settleAfter(job, end, backoff);
    return { type: "unsettled", error };
  }
}

/** The handler itself wanted something else than an ack, and it was not applied. To return is no ack then: the job comes back with its lease. */
function gaveUp(how: string | undefined): boolean {
  return how !== undefined && how !== "ack";
}

function givenBackInVain(job: Job): PqError {
  const message = `job ${job.id}: the handler's own call to settle it failed, so it stays leased until its lease ends`;
  return new PqError("UNAVAILABLE", message);
}

const COMPLETED: JobEnd = Object.freeze({ type: "completed" });

function endOf(how: string | undefined, outcome: SettleOutcome, end: HandlerEnd): JobEnd {
  const error = end.type === "returned" ? undefined : end.error;
  if (how === "ack") return { type: "completed" };
  if (how === "fail") return { type: "failed", error, buried: outcome === "buried" };
  return how === "bury" ? { type: "buried", error } : { type: "returned" };
}
