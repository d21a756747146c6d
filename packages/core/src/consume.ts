import { closedError } from "./backend-guard.ts";
import { checkInteger, checkOptions, checkSignal, type NamesOf } from "./check.ts";
import { breather, sleep } from "./clock.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { isPqError } from "./errors.ts";
import { renewLease } from "./job-host.ts";
import type { JobSource } from "./job-source.ts";
import type { Lease, LeaseWatcher } from "./lease.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { type Job, jobInside } from "./leased-job.ts";

/** Options of `consume`. */
export interface ConsumeOptions {
  /** The lease of jobs that bring none of their own. Default: the queue's. */
  readonly lease?: Duration;
  /** Ends the loop. */
  readonly signal?: AbortSignal;
  /** How many jobs are taken ahead of the one in hand. Default 0. */
  readonly prefetch?: number;
}

const CONSUME_OPTIONS: NamesOf<ConsumeOptions> = { lease: true, signal: true, prefetch: true };

/** When the store fails, ask again after so many ms. */
const PAUSE = 1000;

/**
 * The jobs of a queue, one after the other, for `for await`. A job's lease is kept alive from the take until the loop asks for the next;
 * one that is unsettled then, or when the loop is left, is released. Failures of the store are reported by the queue's `error` event, and the loop goes on.
 */
export class Consumer<Out> implements AsyncIterableIterator<Job<Out>>, AsyncDisposable {
  readonly #source: JobSource<Out>;
  readonly #lease: number;
  readonly #prefetch: number;
  readonly #keeper: LeaseKeeper;
  readonly #watcher: LeaseWatcher;
  readonly #stop = new AbortController();
  readonly #ahead: Job<Out>[] = [];
  readonly #breathe: () => Promise<void> | undefined;
  readonly #unlisten: () => void;
  #current: Job<Out> | undefined;
  #taking: Promise<unknown> = Promise.resolve();
  #ending: Promise<void> | undefined;

  constructor(source: JobSource<Out>, options: ConsumeOptions = {}, onEnd: () => void = () => undefined) {
    checkOptions(options, "options", CONSUME_OPTIONS);
    checkSignal(options.signal);
    this.#source = source;
    this.#lease = options.lease === undefined ? source.lease : parseDuration(options.lease, "lease", 1);
    this.#prefetch = checkInteger(options.prefetch ?? 0, "prefetch", 0, 100_000);
    this.#keeper = source.keeper;
    this.#breathe = breather(source.clock);
    this.#watcher = {
      renew: (lease) => renewLease(source, lease),
      lost: (lease) => this.#lost(lease),
    };
    const end = (): void => this.#stop.abort(closedError("the consumer"));
    options.signal?.addEventListener("abort", end, { once: true });
    if (options.signal?.aborted === true) end();
    this.#unlisten = () => {
      options.signal?.removeEventListener("abort", end);
      onEnd();
    };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Job<Out>, undefined>> {
    const taking = this.#taking.then(() => this.#next());
    this.#taking = taking.catch(() => undefined);
    return taking;
  }

  async return(): Promise<IteratorResult<Job<Out>, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<Job<Out>, undefined>> {
    await this.close();
    throw error;
  }

  /** End the loop; what is unsettled is released. Idempotent; never rejects. */
  close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #next(): Promise<IteratorResult<Job<Out>, undefined>> {
    await this.#giveUp(this.#current);
    this.#current = undefined;
    await this.#breathe();
    while (!this.#stop.signal.aborted) {
      const job = this.#ahead.shift();
      if (job === undefined) await this.#take();
      else if (!job.holdsLease()) continue;
      else {
        this.#current = job;
        return { done: false, value: job };
      }
    }
    await this.close();
    return { done: true, value: undefined };
  }

  async #take(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const jobs = await this.#source.take(1 + this.#prefetch, { wait: Infinity, lease: this.#lease, signal });
      for (const job of jobs) this.#keeper.keep(jobInside().lease(job), this.#watcher);
      for (const job of jobs) this.#ahead.push(job);
      // Closed while the jobs were on their way from there to here: nobody else knows of them.
      if (signal.aborted) await this.#giveUpAll();
    } catch (error) {
      if (signal.aborted) return;
      // It is the loop's last: nothing mends these by waiting.
      if (isPqError(error, "CLOSED") || isPqError(error, "WEAK_SETTINGS") || !isPqError(error)) {
        await this.close();
        throw error;
      }
      this.#source.report(error);
      await sleep(this.#source.clock, PAUSE, signal);
    }
  }

  async #end(): Promise<void> {
    this.#stop.abort(closedError("the consumer"));
    this.#unlisten();
    await Promise.all([this.#giveUp(this.#current), this.#giveUpAll()]);
  }

  async #giveUpAll(): Promise<void> {
    await Promise.all(this.#ahead.splice(0).map((job) => this.#giveUp(job)));
  }

  async #giveUp(job: Job<Out> | undefined): Promise<void> {
    if (job === undefined) return;
    this.#keeper.drop(jobInside().lease(job));
    await job[Symbol.asyncDispose]();
  }

  /** One that was taken ahead and is lost is never handed out; the one in hand has its signal. */
  #lost(lease: Lease): void {
    const index = this.#ahead.findIndex((job) => jobInside().lease(job) === lease);
    if (index >= 0) this.#ahead.splice(index, 1);
  }
}
