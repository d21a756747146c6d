/**
 * Takes jobs for a crew, which runs a handler on them.
 *
 *     room? --no--> until a slot is free
 *           --yes-> take, waiting for the first --jobs--> to the crew
 *                                               --error-> pause (doubling, jittered), and on: there is no error that ends the loop
 */
import { closedError } from "./backend-guard.ts";
import { background } from "./background.ts";
import { checkBackoff, defaultBackoff } from "./backoff.ts";
import { checkInteger, checkOptions, checkSignal, type NamesOf } from "./check.ts";
import { breather, type Clock, sleep } from "./clock.ts";
import { Crew } from "./crew.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { Emitter } from "./emitter.ts";
import { ErrorReporter } from "./error-reporter.ts";
import { errorMessage } from "./failure.ts";
import { random } from "./id.ts";
import type { JobSource } from "./job-source.ts";
import type {
  CloseReport,
  Handler,
  Health,
  WorkerEvents,
  WorkerOptions,
  WorkerSettings,
  WorkerState,
} from "./worker-types.ts";

/** How long `close` waits for handlers by default, in ms. */
const CLOSE_TIMEOUT = 30_000;

/** After a failed take: from the first pause, doubling, to the second; in ms. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

/** A running worker, made by `queue.work()`. It goes on through every failure of the store until it is closed. */
export class Worker<Out = unknown> implements AsyncDisposable {
  readonly #source: JobSource<Out>;
  readonly #settings: WorkerSettings;
  readonly #clock: Clock;
  readonly #events = new Emitter<WorkerEvents<Out>>();
  readonly #errors: ErrorReporter;
  readonly #crew: Crew<Out>;
  readonly #loop: Promise<void>;
  readonly #unlisten: (() => void)[] = [];
  #state: WorkerState = "running";
  /** Ends the take under way: for pause and close. */
  #taking = new AbortController();
  #failures = 0;
  #lastContact: number | null = null;
  #closing: Promise<CloseReport> | undefined;

  /** Throws `TypeError` or `RangeError` for wrong options. */
  constructor(source: JobSource<Out>, handler: Handler<Out>, options: WorkerOptions = {}) {
    if (typeof handler !== "function") throw new TypeError("work(handler): the handler must be a function");
    this.#source = source;
    this.#settings = settingsOf(options, source.lease);
    this.#clock = source.clock;
    this.#errors = new ErrorReporter(
      (event) => this.#events.emit("error", event),
      `a worker of queue "${source.name}"`,
    );
    this.#crew = new Crew({ source, handler, settings: this.#settings, events: this.#events, errors: this.#errors });
    this.#unlisten.push(source.keeper.events.on("blocked", (ms) => void this.#events.emit("blocked", { ms })));
    this.#loop = this.#run();
    this.#closeWith(options.signal);
  }

  /** How many handlers run. */
  get running(): number {
    return this.#crew.running;
  }

  /** How many jobs were taken and wait for a slot. */
  get buffered(): number {
    return this.#crew.buffered;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Listen to an event. Returns the way to stop. */
  on<Name extends keyof WorkerEvents<Out>>(
    event: Name,
    listener: (event: WorkerEvents<Out>[Name]) => unknown,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /** Take no more jobs until `resume`: this worker only. Handlers go on; jobs that were not started are given back. */
  pause(): void {
    if (this.#state !== "running") return;
    this.#state = "paused";
    this.#crew.stop();
    this.#taking.abort(new DOMException("the worker is paused", "AbortError"));
    background(this.#crew.returnBuffered());
  }

  /** Take jobs again. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#taking = new AbortController();
    this.#crew.go();
  }

  /**
   * Stop taking, give back what was not started, wait for the handlers: at most `timeout` (30 s) in all. Then the signals of those
   * that still run abort, and their leases are no longer renewed. Never rejects; a second call gives the same report.
   */
  close(options: { readonly timeout?: Duration } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(parseDuration(options.timeout ?? CLOSE_TIMEOUT, "timeout"));
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Would a job put now be taken? Asks the store, within its deadline; never rejects. */
  async health(): Promise<Health> {
    const reason = this.#trouble() ?? (await this.#storeTrouble()) ?? this.#trouble();
    const lastContact = this.#lastContact === null ? null : this.#clock.monotonic() - this.#lastContact;
    const figures = { running: this.running, buffered: this.buffered, lastContact };
    return reason === undefined ? { ok: true, ...figures } : { ok: false, reason, ...figures };
  }

  #trouble(): string | undefined {
    const { concurrency, lease, timeout = lease } = this.#settings;
    if (this.#state !== "running") return `the worker is ${this.#state}`;
    if (this.#failures > 0) return `the last ${this.#failures} takes failed`;
    if (this.#crew.busyFor <= Math.max(lease, timeout)) return undefined;
    return `all ${concurrency} slots have been taken for ${Math.round(this.#crew.busyFor)} ms`;
  }

  async #storeTrouble(): Promise<string | undefined> {
    try {
      return (await this.#source.calls.stats()).paused ? "the queue is paused" : undefined;
    } catch (error) {
      return `the store does not answer: ${errorMessage(error)}`;
    }
  }

  async #run(): Promise<void> {
    const breathe = breather(this.#clock);
    while (this.#open) {
      const { room } = this.#crew;
      if (room > 0) await this.#take(room);
      else await this.#crew.until(() => this.#crew.room > 0 || !this.#open);
      await breathe();
    }
  }

  get #open(): boolean {
    return this.#state === "running" || this.#state === "paused";
  }

  async #take(limit: number): Promise<void> {
    const { signal } = this.#taking;
    try {
      const { lease } = this.#settings;
      this.#crew.accept(await this.#source.take(limit, { wait: Infinity, lease, signal, answered: this.#answered }));
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      this.#errors.report(error);
      const pause = Math.min(FIRST_PAUSE * 2 ** (this.#failures - 1), LONGEST_PAUSE) * (1 - random() / 2);
      await sleep(this.#clock, pause, signal);
    }
  }

  readonly #answered = (): void => {
    const failures = this.#failures;
    this.#failures = 0;
    this.#lastContact = this.#clock.monotonic();
    if (failures > 0) this.#events.emit("recovered", { failures });
  };

  async #close(timeout: number): Promise<CloseReport> {
    const closed = closedError("the worker");
    const inHand = this.#crew.inHand;
    const waiting = this.#crew.buffered;
    const before = this.#crew.done;
    let returned = 0;
    this.#state = "closing";
    this.#crew.stop();
    this.#taking.abort(closed);
    const giveBack = this.#crew.returnBuffered().then((count) => (returned = count));
    const settled = this.#crew.until(() => this.#crew.inHand === 0);
    await this.#within(timeout, Promise.all([giveBack, this.#loop, settled]));
    const finished = this.#crew.done - before;
    const report = { finished, returned, abandoned: inHand - finished + (waiting - returned) };
    this.#crew.abandon(closed);
    this.#state = "closed";
    for (const stop of this.#unlisten) stop();
    this.#events.emit("closed", report);
    return report;
  }

  async #within(timeout: number, done: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const ended = done.then(() => over.abort());
    await Promise.race([ended, sleep(this.#clock, timeout, over.signal)]);
  }

  #closeWith(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const close = (): void => background(this.close());
    if (signal.aborted) close();
    signal.addEventListener("abort", close, { once: true });
    this.#unlisten.push(() => signal.removeEventListener("abort", close));
  }
}

const WORKER_OPTIONS: NamesOf<WorkerOptions> = {
  concurrency: true,
  prefetch: true,
  lease: true,
  timeout: true,
  backoff: true,
  signal: true,
};

function settingsOf(options: WorkerOptions, lease: number): WorkerSettings {
  checkOptions(options, "options", WORKER_OPTIONS);
  checkSignal(options.signal);
  const { concurrency = 1, prefetch, timeout, backoff = defaultBackoff } = options;
  return {
    concurrency: checkInteger(concurrency, "concurrency", 1, 100_000),
    prefetch: prefetch === undefined ? undefined : checkInteger(prefetch, "prefetch", 0, 100_000),
    lease: options.lease === undefined ? lease : parseDuration(options.lease, "lease", 1),
    timeout: timeout === undefined ? undefined : parseDuration(timeout, "timeout", 1),
    backoff: typeof backoff === "function" ? backoff : checkBackoff(backoff),
  };
}
