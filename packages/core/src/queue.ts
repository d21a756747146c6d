/** What users hold: one named queue in one store. */
import type { BackendEvent, Guarantees, QueueStats } from "./backend.ts";
import { closedError } from "./backend-guard.ts";
import type { Capabilities } from "./capabilities.ts";
import { checkInteger, checkOptions, checkSignal, type NamesOf } from "./check.ts";
import { type ConsumeOptions, Consumer } from "./consume.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { Emitter } from "./emitter.ts";
import { ErrorReporter } from "./error-reporter.ts";
import { PqError } from "./errors.ts";
import type { QueueEvents } from "./events.ts";
import { parseJobId } from "./id.ts";
import { JOB_STATES, type JobState } from "./job.ts";
import { jobInfo, type JobInfo } from "./job-info.ts";
import { JobSource } from "./job-source.ts";
import type { Job } from "./leased-job.ts";
import { JobMaker } from "./new-job.ts";
import {
  type PutOptions,
  type QueueOptions,
  type ResolvedOptions,
  resolveOptions,
  resolveTake,
  resolveWait,
  type TakeOptions,
  type UrgentOptions,
} from "./options.ts";
import { Patience } from "./patience.ts";
import { Producer, type PutManyOptions, type PutResult } from "./producer.ts";
import { QueueCalls } from "./queue-calls.ts";
import { Worker } from "./worker.ts";
import type { Handler, WorkerOptions } from "./worker-types.ts";
import { TakeHub } from "./take-hub.ts";

export type { QueueOptions } from "./options.ts";

/** Options of `list`. */
export interface ListOptions {
  readonly state: JobState;
  /** Jobs on a page, 1 .. 10,000. Default 100. */
  readonly limit?: number;
  /** What the page before this one ended with. Default `null`: the first. */
  readonly cursor?: string | null;
}

const LIST_OPTIONS: NamesOf<ListOptions> = { state: true, limit: true, cursor: true };

/** A page of jobs. */
export interface JobPage<T> {
  readonly jobs: readonly JobInfo<T>[];
  /** Give it to the next `list`; `null` after the last page. */
  readonly cursor: string | null;
}

/** Anything that a queue closes before itself. */
interface Closable {
  close(options?: { readonly timeout?: Duration }): Promise<unknown>;
}

/**
 * A queue of jobs. Cheap to make: nothing is opened before the first call.
 *
 * Calls reject with `PqError` for what the store or the job's state causes, with `TypeError` and `RangeError` for wrong arguments,
 * and always settle: `UNAVAILABLE` means not applied, `OUTCOME_UNKNOWN` that it may have been.
 *
 * @example
 * const emails = new Queue<Email>("emails", { backend: file("./data") });
 * await emails.put({ to: "a@b.c" }, { delay: "5s" });
 * const job = await emails.take({ wait: "30s" });
 */
export class Queue<In = unknown, Out = In> implements AsyncDisposable {
  readonly name: string;
  /** What the store can do. */
  readonly capabilities: Capabilities;
  readonly #options: ResolvedOptions<Out>;
  readonly #calls: QueueCalls;
  readonly #hub: TakeHub;
  readonly #producer: Producer<In>;
  readonly #source: JobSource<Out>;
  readonly #events = new Emitter<QueueEvents>();
  readonly #closables = new Set<Closable>();
  readonly #patience: Patience;
  readonly #unlisten: () => void;
  #closing: Promise<void> | undefined;

  /** Throws `TypeError`, `RangeError`, or `UNSUPPORTED` for options that the store cannot serve. */
  constructor(name: string, options: QueueOptions<In, Out>) {
    this.#options = resolveOptions(name, options);
    const { backend, capabilities, defaults } = this.#options;
    this.name = name;
    this.capabilities = capabilities;
    this.#calls = new QueueCalls(this.#options);
    this.#hub = new TakeHub(this.#calls);
    this.#patience = new Patience(this.#options.policy.clock);
    const maker = new JobMaker(backend.name, capabilities, defaults);
    const errors = new ErrorReporter((event) => this.#events.emit("error", event), `queue "${name}"`);
    const source = new JobSource<Out>(this.#options, { calls: this.#calls, hub: this.#hub, maker, errors });
    this.#source = source;
    this.#producer = new Producer<In>(this.#options, { calls: this.#calls, source, maker, patience: this.#patience });
    this.#unlisten = this.#calls.guard.events.on("backend", (event) => this.#relay(event));
  }

  /** What the store promises with its real settings; `undefined` until it is open. */
  get guarantees(): Guarantees | undefined {
    return this.#calls.guard.guarantees;
  }

  /** Listen to an event. Returns the way to stop. */
  on<Name extends keyof QueueEvents>(event: Name, listener: (event: QueueEvents[Name]) => unknown): () => void {
    return this.#events.on(event, listener);
  }

  /** Open now instead of at the first call. Rejects with `WEAK_SETTINGS` when the store is weaker than `requires`. */
  ready(): Promise<Guarantees> {
    return this.#calls.ready();
  }

  /** Store a job. Resolves once it has reached the durability in `guarantees`; with `session`, it does so when that transaction commits. */
  put(payload: In, options?: PutOptions): Promise<PutResult> {
    return this.#producer.put(payload, options, false);
  }

  /** Store a job before every other, the newest urgent one first. */
  urgent(payload: In, options?: UrgentOptions): Promise<PutResult> {
    return this.#producer.put(payload, options, true);
  }

  /**
   * Store all of these jobs, in this order, or none. Options are for all of them, or come from a function for each.
   * Rejects with `PAYLOAD_TOO_LARGE`, before anything is written, what the store cannot take in one step.
   */
  putMany(payloads: readonly In[], options?: PutManyOptions<In>): Promise<PutResult[]> {
    return this.#producer.putMany(payloads, options);
  }

  /** Take a job, or `null` when there is none (in time). */
  async take(options?: TakeOptions): Promise<Job<Out> | null> {
    const [job] = await this.takeMany(1, options);
    return job ?? null;
  }

  /** Take up to `limit` jobs; with `wait`, wait for the first. */
  async takeMany(limit: number, options?: TakeOptions): Promise<Job<Out>[]> {
    checkInteger(limit, "limit", 1, Number.MAX_SAFE_INTEGER);
    this.#checkOpen();
    return this.#source.take(limit, resolveTake(options, this.#options.lease));
  }

  /** Run `handler` on the jobs from now on, until the worker or the queue is closed. */
  work(handler: Handler<Out>, options?: WorkerOptions): Worker<Out> {
    this.#checkOpen();
    const worker = new Worker<Out>(this.#source, handler, options);
    this.#closables.add(worker);
    worker.on("closed", () => this.#closables.delete(worker));
    return worker;
  }

  /** The jobs, for `for await`: each is kept alive until the loop asks for the next, and released then if it is unsettled. */
  consume(options?: ConsumeOptions): Consumer<Out> {
    this.#checkOpen();
    const consumer: Consumer<Out> = new Consumer<Out>(this.#source, options, () => this.#closables.delete(consumer));
    this.#closables.add(consumer);
    return consumer;
  }

  /** Look at a job without taking it; `null` when it does not exist. */
  async peek(id: string): Promise<JobInfo<In> | null> {
    const { jobs } = await this.#calls.read({ ids: [parseJobId(id)] });
    return jobs[0] === undefined ? null : jobInfo<In>(jobs[0], (bytes) => this.#source.decode(bytes));
  }

  /** A page of the jobs in one state, at most `limit` (100). */
  async list(options: ListOptions): Promise<JobPage<In>> {
    checkOptions(options, "options", LIST_OPTIONS);
    const { state, limit = 100, cursor = null } = options;
    if (!JOB_STATES.includes(state)) throw new RangeError(`state must be one of ${JOB_STATES.join(", ")}`);
    if (cursor !== null && typeof cursor !== "string") throw new TypeError("cursor must be what list() returned");
    checkInteger(limit, "limit", 1, 10_000);
    const page = await this.#calls.read({ state, limit, cursor });
    return {
      jobs: page.jobs.map((job) => jobInfo<In>(job, (bytes) => this.#source.decode(bytes))),
      cursor: page.cursor,
    };
  }

  /** Make the `limit` longest buried jobs ready again, at the end of their priority with fresh attempts. Resolves with how many. */
  async kick(limit: number): Promise<number> {
    checkInteger(limit, "limit", 1, Number.MAX_SAFE_INTEGER);
    return (await this.#calls.control({ type: "kick", limit })).count;
  }

  /** Make one buried job ready again. Rejects with `NOT_FOUND`, or `INVALID_STATE` when it is not buried. */
  async dig(id: string): Promise<void> {
    const { outcomes } = await this.#calls.control({ type: "dig", ids: [parseJobId(id)] });
    if (outcomes[0] === "not-found") throw new PqError("NOT_FOUND", `there is no job ${id}`);
    if (outcomes[0] === "invalid-state") throw new PqError("INVALID_STATE", `job ${id} is not buried`);
  }

  /** Remove a job in whatever state; its holder has lost its lease. `false` when there was none. */
  async delete(id: string): Promise<boolean> {
    const { outcomes } = await this.#calls.control({ type: "delete", ids: [parseJobId(id)] });
    return outcomes[0] === "done";
  }

  /** Remove every job; holders have lost their leases. Resolves with how many. */
  async truncate(): Promise<number> {
    return (await this.#calls.control({ type: "truncate" })).count;
  }

  /** Give nothing out, for any consumer anywhere, until `resume`. Puts and settlements go on. */
  async pause(): Promise<void> {
    await this.#calls.control({ type: "pause" });
  }

  /** Give jobs out again. */
  async resume(): Promise<void> {
    await this.#calls.control({ type: "resume" });
  }

  /** Jobs by state, and the counters since the queue was created. */
  stats(): Promise<QueueStats> {
    return this.#calls.stats();
  }

  /** How many jobs are ready, delayed or leased. */
  async size(): Promise<number> {
    const { ready, delayed, leased } = await this.stats();
    return ready + delayed + leased;
  }

  /** Resolves when nothing is ready, delayed or leased. Rejects with a `TimeoutError` after `timeout`. */
  async join(options: { readonly signal?: AbortSignal; readonly timeout?: Duration } = {}): Promise<void> {
    const { signal } = options;
    checkSignal(signal);
    const timeout = options.timeout === undefined ? Infinity : parseDuration(options.timeout, "timeout");
    const look = async (): Promise<true | undefined> => ((await this.size()) === 0 ? true : undefined);
    if (!(await this.#patience.until(look, { timeout, signal }))) {
      throw new DOMException(`queue "${this.name}" was not empty after ${timeout} ms`, "TimeoutError");
    }
  }

  /**
   * The result that a job put with `keepResult` was acked with; `undefined` when it was acked without one. Without `wait`, or when the time is over, rejects with
   * `INVALID_STATE` while the job is not done; also once it is buried. `NOT_FOUND` when there is no such job (any more).
   */
  async result<R = unknown>(
    id: string,
    options: { readonly wait?: boolean | Duration; readonly signal?: AbortSignal } = {},
  ): Promise<R> {
    const jobId = parseJobId(id);
    checkSignal(options.signal);
    let state: JobState = "ready";
    const look = async (): Promise<{ readonly value: R } | undefined> => {
      const job = (await this.#calls.read({ ids: [jobId] })).jobs[0];
      if (job === undefined) throw new PqError("NOT_FOUND", `there is no job ${id}`);
      if (job.state === "buried") {
        throw new PqError("INVALID_STATE", `job ${id} is buried: ${job.lastError ?? job.buryReason}`);
      }
      state = job.state;
      if (state !== "done") return undefined;
      return { value: (job.result === null ? undefined : this.#source.decode(job.result)) as R };
    };
    const found = await this.#patience.until(look, { timeout: resolveWait(options.wait), signal: options.signal });
    if (found === undefined) throw new PqError("INVALID_STATE", `job ${id} is ${state}, not done`);
    return found.value;
  }

  /** Close the workers and consumers, let calls in flight end, and leave the backend: the last of its queues closes it. Idempotent. */
  close(options: { readonly timeout?: Duration } = {}): Promise<void> {
    if (options.timeout !== undefined) parseDuration(options.timeout, "timeout");
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(options: { readonly timeout?: Duration }): Promise<void> {
    const closed = closedError(`queue "${this.name}"`);
    await Promise.all([...this.#closables].map((one) => one.close(options)));
    this.#patience.close(closed);
    this.#hub.close(closed);
    try {
      await this.#calls.close();
    } catch (error) {
      this.#source.report(error);
    }
    this.#unlisten();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError(`queue "${this.name}"`);
  }

  #relay(event: BackendEvent): void {
    if (event.type !== "damage" || event.queue === undefined || event.queue === this.name) {
      this.#events.emit(event.type, event);
    }
  }
}
