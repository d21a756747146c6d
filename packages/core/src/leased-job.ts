/**
 * A job in the hands of a consumer.
 *
 *     held --ack, release, requeue, fail, bury--> settling --answered--> settled
 *                                                          --lost------> settled (the call rejects with LEASE_LOST)
 *                                                          --not applied, or unknown--> held (may be tried again)
 */
import type { SettleOutcome, Settlement } from "./backend.ts";
import { type Backoff, type BackoffFunction, defaultBackoff, delayAfter } from "./backoff.ts";
import { checkOptions, type NamesOf } from "./check.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { isPqError, PqError } from "./errors.ts";
import { errorText, isUnrecoverable } from "./failure.ts";
import { type JobHost, renewLease } from "./job-host.ts";
import { readHeaders } from "./headers.ts";
import { type DeliveredJob, type JobId, UNLIMITED_ATTEMPTS } from "./job.ts";
import type { Lease, LeaseWatcher } from "./lease.ts";

type SettleType = Settlement["type"];

/** When a job that is given back is ready again. */
interface ReturnOptions {
  readonly delay?: Duration;
}

const RETURN_OPTIONS: NamesOf<ReturnOptions> = { delay: true };

/** Set by the class below, which alone can reach its private fields. */
let inside: JobInside;

/** A leased job. Settle it once: `ack`, `release`, `requeue`, `fail` or `bury`; or dispose of it, which releases it if nothing else was done. */
export class Job<Out = unknown> implements AsyncDisposable {
  /** The payload, decoded, and as the schema gives it. */
  readonly payload: Out;
  readonly #host: JobHost;
  readonly #delivered: DeliveredJob;
  readonly #lease: Lease;
  #state: "held" | "settling" | "settled" = "held";
  #how: SettleType | undefined;
  #settling: Promise<SettleOutcome> | undefined;

  /** Made by a queue's `take`, `consume` and `work`. */
  constructor(host: JobHost, delivered: DeliveredJob, payload: Out, lease: Lease) {
    this.#host = host;
    this.#delivered = delivered;
    this.payload = payload;
    this.#lease = lease;
  }

  get id(): JobId {
    return this.#delivered.id;
  }

  /** Grows with every delivery of the job: hand it to what you write to, so that it can refuse a holder whose time is over. */
  get fence(): number {
    return this.#delivered.fence;
  }

  /** The number of this delivery among those that count, from 1. */
  get attempt(): number {
    return this.#delivered.attempt;
  }

  /** `Infinity` when the job is never buried for its attempts. */
  get maxAttempts(): number {
    const { maxAttempts } = this.#delivered;
    return maxAttempts === UNLIMITED_ATTEMPTS ? Infinity : maxAttempts;
  }

  get priority(): number {
    return this.#delivered.priority;
  }

  get key(): string | null {
    return this.#delivered.key;
  }

  get group(): string | null {
    return this.#delivered.group;
  }

  /** When the job was put, by the store's clock (ms since 1970). */
  get createdAt(): number {
    return this.#delivered.createdAt;
  }

  /** What the last attempt failed with. */
  get lastError(): string | null {
    return this.#delivered.lastError;
  }

  /** How long the lease lasts after each renewal, in ms. */
  get leaseDuration(): number {
    return this.#lease.duration;
  }

  /** What the holder before this one reported last; `null` for nothing. Throws `INVALID_PAYLOAD` when it cannot be decoded. */
  get lastProgress(): unknown {
    const { progress } = this.#delivered;
    return progress === null ? null : this.#host.decode(progress);
  }

  /** Aborts when the lease is lost while it is kept alive (by a worker, `consume()` or `run()`), with a `LEASE_LOST` error as its reason. */
  get signal(): AbortSignal {
    return this.#lease.signal;
  }

  /** A call that settles the job has succeeded, or the store has said that it is not ours to settle. */
  get settled(): boolean {
    return this.#state === "settled";
  }

  /** Is the lease certainly valid, by this process's monotonic clock? No call to the store. */
  holdsLease(): boolean {
    return this.#state !== "settled" && this.#lease.holds(this.#host.clock);
  }

  /** Done. The result is kept when the job was put with `keepResult`. */
  async ack(result?: unknown): Promise<void> {
    await this.#settle("ack", { ...this.#proof(), type: "ack", result: this.#resultBytes(result) });
  }

  /** Give the job back unharmed: the attempt does not count. It is ready at once, or after `delay`, before the undelivered jobs of its priority. */
  async release(options: ReturnOptions = {}): Promise<void> {
    checkOptions(options, "options", RETURN_OPTIONS);
    const delay = parseDuration(options.delay ?? 0, "delay");
    await this.#settle("release", { ...this.#proof(), type: "release", delay });
  }

  /** Give the job back to the end of its priority: the attempt does not count. */
  async requeue(): Promise<void> {
    await this.#settle("requeue", { ...this.#proof(), type: "requeue" });
  }

  /**
   * The attempt failed. With attempts left the job comes back after `delay` (default: by the job's backoff); with none, and after an
   * `UnrecoverableError`, it is buried. At most 4 KiB of the error's message and stack are kept as `lastError`.
   */
  async fail(error: unknown, options: ReturnOptions = {}): Promise<void> {
    checkOptions(options, "options", RETURN_OPTIONS);
    const delay = options.delay === undefined ? undefined : parseDuration(options.delay, "delay");
    await this.#fail(error, defaultBackoff, delay);
  }

  /** Put the job aside for an operator, whatever attempts are left. */
  async bury(error?: unknown): Promise<void> {
    await this.#settle("bury", {
      ...this.#proof(),
      type: "bury",
      error: error === undefined ? null : errorText(error),
    });
  }

  /** Extend the lease to so long from now (default: its duration). Never shortens it. Rejects with `LEASE_LOST`. */
  async touch(duration?: Duration): Promise<void> {
    await this.#touch(duration === undefined ? this.#lease.duration : parseDuration(duration, "duration", 1), null);
  }

  /** Store how far the work is, and extend the lease. The next holder finds it as `lastProgress`. */
  async progress(value: unknown): Promise<void> {
    await this.#touch(this.#lease.duration, this.#host.encode(value, "progress"));
  }

  /** Run `fn` with the lease kept alive: ack with what it returns, or fail with what it throws and throw that. */
  async run<R>(fn: (job: this) => R | Promise<R>): Promise<R> {
    const { keeper } = this.#host;
    const kept = this.#state === "held" && keeper.keep(this.#lease, this.#watcher());
    let result: R;
    try {
      result = await fn(this);
    } catch (error) {
      await this.#failQuietly(error);
      throw error;
    } finally {
      if (kept) keeper.drop(this.#lease);
    }
    // What `fn` began itself and could not do is not made an ack.
    const wantsAck = this.#how === undefined || this.#how === "ack";
    if (this.#state === "held" && wantsAck) await this.ack(result);
    return result;
  }

  /** Release the job unless it was settled. Never rejects: a lease that cannot be given back runs out. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#host.keeper.drop(this.#lease);
    if (this.#state !== "held") return;
    try {
      await this.release();
    } catch (error) {
      this.#host.report(error, this.id);
    }
  }

  /** For `run`: the signal tells of a loss, nobody else wants to know. */
  #watcher(): LeaseWatcher {
    return { renew: (lease) => renewLease(this.#host, lease), lost: () => undefined };
  }

  #proof(): { readonly id: JobId; readonly fence: number } {
    return { id: this.#lease.id, fence: this.#lease.fence };
  }

  #resultBytes(result: unknown): Uint8Array | null {
    if (result === undefined || !readHeaders(this.#delivered.headers).keepsResult) return null;
    return this.#host.encode(result, "the result");
  }

  async #fail(error: unknown, backoff: Backoff | BackoffFunction, given?: number): Promise<SettleOutcome> {
    if (isUnrecoverable(error)) {
      return this.#settle("fail", { ...this.#proof(), type: "bury", error: errorText(error) });
    }
    const own = readHeaders(this.#delivered.headers).backoff;
    const delay = given ?? this.#delayAfter(own ?? backoff, error);
    return this.#settle("fail", { ...this.#proof(), type: "fail", delay, error: errorText(error) });
  }

  #delayAfter(backoff: Backoff | BackoffFunction, error: unknown): number {
    try {
      return delayAfter(backoff, this.attempt, error);
    } catch (mistake) {
      this.#host.report(mistake, this.id);
      return delayAfter(defaultBackoff, this.attempt, error);
    }
  }

  async #failQuietly(error: unknown): Promise<void> {
    if (this.#state !== "held") return;
    try {
      await this.fail(error);
    } catch (failure) {
      this.#host.report(failure, this.id);
    }
  }

  /** Throws, like what makes the settlement: callers are async. */
  #settle(how: SettleType, item: Settlement): Promise<SettleOutcome> {
    if (this.#state !== "held") throw this.#tooLate(how);
    this.#state = "settling";
    this.#how = how;
    this.#lease.settling = true;
    this.#settling = this.#host.settle(item).then(
      (outcome) => this.#answered(outcome),
      (error: unknown) => this.#unsettled(error),
    );
    return this.#settling;
  }

  #tooLate(what: string): PqError {
    return new PqError("INVALID_STATE", `job ${this.id}: cannot ${what}, ${this.#how ?? "it"} was called before`);
  }

  #answered(outcome: SettleOutcome): SettleOutcome {
    this.#state = "settled";
    this.#host.keeper.drop(this.#lease);
    if (outcome !== "lost") return outcome;
    this.#lease.lose("taken-over");
    throw lostError(this.id);
  }

  #unsettled(error: unknown): never {
    this.#state = "held";
    this.#lease.settling = false;
    this.#host.keeper.resume(this.#lease);
    if (!isPqError(error, "OUTCOME_UNKNOWN")) this.#settling = undefined;
    throw error;
  }

  async #touch(duration: number, progress: Uint8Array | null): Promise<void> {
    if (this.#state !== "held") throw this.#tooLate("touch");
    const since = this.#host.clock.monotonic();
    if (await this.#host.touch({ ...this.#proof(), lease: duration, progress })) {
      this.#lease.renewed(since, duration);
      return;
    }
    this.#lease.lose("taken-over");
    throw lostError(this.id);
  }

  static {
    inside = {
      lease: (job) => job.#lease,
      settling: (job) => job.#settling,
      how: (job) => job.#how,
      fail: (job, error, backoff) => job.#fail(error, backoff),
      ack: (job, result) => {
        const { id, fence } = job.#lease;
        return job.#settle("ack", { id, fence, type: "ack", result: job.#resultBytes(result) });
      },
    };
  }
}

/** What the rest of core may do with a job that users may not. */
export interface JobInside {
  readonly lease: (job: Job) => Lease;
  /** The settling under way, done, or of unknown outcome, if any. */
  readonly settling: (job: Job) => Promise<SettleOutcome> | undefined;
  /** Which call that was. */
  readonly how: (job: Job) => SettleType | undefined;
  readonly fail: (job: Job, error: unknown, backoff: Backoff | BackoffFunction) => Promise<SettleOutcome>;
  readonly ack: (job: Job, result: unknown) => Promise<SettleOutcome>;
}

/** For the rest of core. */
export function jobInside(): JobInside {
  return inside;
}

function lostError(id: JobId): PqError {
  return new PqError("LEASE_LOST", `the lease of job ${id} was lost; nothing was changed`);
}
