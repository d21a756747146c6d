/** From deliveries to jobs: decoded and validated. One for each queue; the worker, `consume` and `take` draw from it. */
import type { SettleOutcome, Settlement, Touch } from "./backend.ts";
import { defaultBackoff, delayAfter } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { ErrorReporter } from "./error-reporter.ts";
import { isPqError, PqError } from "./errors.ts";
import { errorText } from "./failure.ts";
import { readHeaders } from "./headers.ts";
import type { DeliveredJob, JobId } from "./job.ts";
import { Lease } from "./lease.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { JobHost } from "./job-host.ts";
import { Job } from "./leased-job.ts";
import type { JobMaker } from "./new-job.ts";
import type { ResolvedOptions, ResolvedTake } from "./options.ts";
import type { QueueCalls } from "./queue-calls.ts";
import { validate } from "./schema.ts";
import type { TakeHub } from "./take-hub.ts";

/** The jobs of a queue. */
export class JobSource<Out> implements JobHost {
  readonly clock: Clock;
  readonly keeper: LeaseKeeper;
  readonly calls: QueueCalls;
  readonly #options: ResolvedOptions<Out>;
  readonly #hub: TakeHub;
  readonly #maker: JobMaker;
  readonly #errors: ErrorReporter;

  constructor(
    options: ResolvedOptions<Out>,
    parts: {
      readonly calls: QueueCalls;
      readonly hub: TakeHub;
      readonly maker: JobMaker;
      readonly errors: ErrorReporter;
    },
  ) {
    this.#options = options;
    this.clock = options.policy.clock;
    this.keeper = LeaseKeeper.of(this.clock);
    this.calls = parts.calls;
    this.#hub = parts.hub;
    this.#maker = parts.maker;
    this.#errors = parts.errors;
  }

  get name(): string {
    return this.#options.name;
  }

  get backendName(): string {
    return this.#options.backend.name;
  }

  /** The queue's own lease, in ms. */
  get lease(): number {
    return this.#options.lease;
  }

  /** Up to `limit` jobs that can be read. Those that cannot are failed, and the take goes on. */
  async take(limit: number, options: ResolvedTake): Promise<Job<Out>[]> {
    const end = this.clock.monotonic() + options.wait;
    let wait = options.wait;
    for (;;) {
      const { jobs: delivered, since } = await this.#hub.take(limit, { ...options, wait });
      if (delivered.length === 0) return [];
      const jobs = await this.#readable(delivered, since);
      if (jobs.length > 0) return jobs;
      if (options.signal?.aborted === true) throw options.signal.reason as Error;
      wait = Math.max(0, end - this.clock.monotonic());
    }
  }

  /** Give these back. */
  giveBack(jobs: readonly DeliveredJob[]): void {
    this.calls.giveBack(jobs);
  }

  settle(item: Settlement): Promise<SettleOutcome> {
    return this.calls.settle(item);
  }

  touch(item: Touch): Promise<boolean> {
    return this.calls.touch(item);
  }

  encode(value: unknown, what: string): Uint8Array {
    const { codec } = this.#options;
    let bytes: Uint8Array;
    try {
      bytes = codec.encode(value);
    } catch (error) {
      const why = isPqError(error) ? `: ${error.message}` : "";
      throw new PqError("INVALID_PAYLOAD", `the ${codec.name} codec cannot encode ${what}${why}`, { cause: error });
    }
    if (!(bytes instanceof Uint8Array)) {
      throw new PqError("INVALID_PAYLOAD", `the ${codec.name} codec made no Uint8Array of ${what}`);
    }
    this.#maker.checkSize(bytes, what);
    return bytes;
  }

  decode(bytes: Uint8Array): unknown {
    const { codec } = this.#options;
    try {
      return codec.decode(bytes);
    } catch (error) {
      const why = isPqError(error) ? `: ${error.message}` : "";
      throw new PqError("INVALID_PAYLOAD", `the ${codec.name} codec cannot decode the bytes${why}`, { cause: error });
    }
  }

  report(error: unknown, id?: JobId): void {
    this.#errors.report(error, id);
  }

  async #readable(delivered: readonly DeliveredJob[], since: number): Promise<Job<Out>[]> {
    const jobs: Job<Out>[] = [];
    for (const one of delivered) {
      try {
        let payload = this.decode(one.payload) as Out | Promise<Out>;
        if (this.#options.schema !== undefined) payload = validate(this.#options.schema, payload);
        const value = payload instanceof Promise ? await payload : payload;
        jobs.push(new Job(this, one, value, new Lease(one, since)));
      } catch (error) {
        this.#refuse(one, error);
      }
    }
    return jobs;
  }

  /** Nobody can work on this one: its attempts run out, and it is buried with the reason, where an operator finds it. */
  #refuse({ id, fence, attempt, headers }: DeliveredJob, error: unknown): void {
    this.report(error, id);
    const delay = delayAfter(readHeaders(headers).backoff ?? defaultBackoff, attempt, error);
    this.calls
      .settle({ id, fence, type: "fail", delay, error: errorText(error) })
      .catch((failure: unknown) => this.report(failure, id));
  }
}
