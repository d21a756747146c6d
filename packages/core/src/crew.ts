/**
 * The slots of a worker: what is done with jobs once they are taken.
 *
 *     taken --> [buffer] --a slot is free--> [running] --the handler has ended--> [settling] --> done
 *                        --no slot in time, pause, close--> released
 *
 * A slot is free when its handler has ended: settling goes on beside it, batched with others, and only so much of it that a slow store slows
 * the worker down. Leases are renewed while a handler runs. A job in the buffer is not renewed: it is given back when it found no slot in time.
 */
import { background } from "./background.ts";
import { Bag } from "./bag.ts";
import type { Clock, Timer } from "./clock.ts";
import type { ErrorReporter } from "./error-reporter.ts";
import type { Emitter } from "./emitter.ts";
import { type HandlerEnd, type JobEnd, JobRun, type JobRunner } from "./job-run.ts";
import type { JobSource } from "./job-source.ts";
import type { LostReason } from "./lease.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { type Job, jobInside } from "./leased-job.ts";
import { Pace } from "./pace.ts";
import type { Handler, WorkerEvents, WorkerSettings } from "./worker-types.ts";

/** A job that was taken ahead waits so long for a slot (or a third of its lease, if that is less); in ms. */
const BUFFER_PATIENCE = 1000;

/** A handler whose time is over gets so long to heed its signal before it is reported, in ms. */
const ABORT_PATIENCE = 5000;

/** The most that one take asks for. */
const MOST_TAKEN = 1000;

/** A worker that may hold more than this takes half of it at most, so that one half is taken while the other is worked on. */
const SMALL = 64;

/** What a crew tells its worker. */
export interface CrewParts<Out> {
  readonly source: JobSource<Out>;
  readonly handler: Handler<Out>;
  readonly settings: WorkerSettings;
  readonly events: Emitter<WorkerEvents<Out>>;
  readonly errors: ErrorReporter;
}

/** Somebody who waits for a change. */
interface Waiter {
  readonly holds: () => boolean;
  readonly resolve: () => void;
}

/** Runs handlers in slots. */
export class Crew<Out> {
  readonly #parts: CrewParts<Out>;
  readonly #clock: Clock;
  readonly #keeper: LeaseKeeper;
  readonly #runner: JobRunner<Out>;
  readonly #pace: Pace;
  readonly #running = new Bag<JobRun<Out>>();
  readonly #buffer: Job<Out>[] = [];
  #settling = 0;
  #done = 0;
  #stopped = false;
  #lastFree: number;
  #bufferTimer: Timer | undefined;
  #waiting: Waiter[] = [];

  constructor(parts: CrewParts<Out>) {
    const { concurrency, prefetch } = parts.settings;
    this.#parts = parts;
    this.#clock = parts.source.clock;
    this.#keeper = parts.source.keeper;
    this.#runner = {
      ...parts,
      lost: (run, reason) => this.#lost(run, reason),
      ended: (run, end) => this.#ended(run, end),
      settled: (run, end) => this.#settled(run, end),
    };
    this.#pace = new Pace(concurrency, prefetch);
    this.#lastFree = this.#clock.monotonic();
  }

  get running(): number {
    return this.#running.size;
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  /** Handlers that run, and settlements under way. */
  get inHand(): number {
    return this.#running.size + this.#settling;
  }

  /** How many jobs came to a good end so far. */
  get done(): number {
    return this.#done;
  }

  /** How many jobs to take now: none while half of those that were taken ahead are left, so that takes are few, and under way while handlers work. */
  get room(): number {
    const { ahead } = this.#pace;
    if (this.#stopped || this.#buffer.length > ahead / 2 || this.#settling >= this.#mostSettling) return 0;
    const { concurrency } = this.#parts.settings;
    const wanted = concurrency + ahead;
    const most = Math.min(MOST_TAKEN, Math.max(concurrency, SMALL, Math.ceil(wanted / 2)));
    return Math.min(most, wanted - this.#running.size - this.#buffer.length);
  }

  /** So many settlements may be under way: enough to batch them, few enough to be slowed down by a slow store. */
  get #mostSettling(): number {
    const { concurrency } = this.#parts.settings;
    return concurrency + Math.max(concurrency, this.#pace.ahead) + 16;
  }

  /** For how many ms no slot has been free. */
  get busyFor(): number {
    if (this.#running.size < this.#parts.settings.concurrency) return 0;
    return this.#clock.monotonic() - this.#lastFree;
  }

  /** Work on these as slots allow. */
  accept(jobs: readonly Job<Out>[]): void {
    this.#buffer.push(...jobs);
    this.#start();
    if (this.#stopped) background(this.returnBuffered());
  }

  /** Start nothing more, until `go`. */
  stop(): void {
    this.#stopped = true;
    this.#notify();
  }

  go(): void {
    this.#stopped = false;
    this.#start();
    this.#notify();
  }

  /** Give back what was not started. Resolves with how many the store has taken back. */
  returnBuffered(): Promise<number> {
    return this.#giveBack(this.#buffer.splice(0));
  }

  /** Leave the handlers that still run to themselves: their signals abort, and their leases run out. */
  abandon(reason: unknown): void {
    this.#bufferTimer?.cancel();
    for (const { lease } of this.#running.toArray()) {
      this.#keeper.drop(lease);
      lease.abort(reason);
    }
  }

  /** Resolves when this holds after a change of what is running, settling or buffered. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (holds()) resolve();
      else this.#waiting.push({ holds, resolve });
    });
  }

  /** Let those who wait for a change look. */
  #notify(): void {
    // Mostly nobody goes: this is looked at with every job.
    if (!this.#waiting.some(mayGo)) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.holds()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }

  #start(): void {
    const { concurrency } = this.#parts.settings;
    while (!this.#stopped && this.#running.size < concurrency && this.#settling < this.#mostSettling) {
      const job = this.#buffer.shift();
      if (job === undefined) return;
      // Another may have it already: a handler before it may have blocked the event loop.
      if (job.holdsLease()) this.#run(job);
      else this.#parts.events.emit("lost", { job, reason: "expired" });
    }
    if (this.#buffer.length > 0) this.#watchBuffer();
  }

  #run(job: Job<Out>): void {
    const { events, settings } = this.#parts;
    const run = new JobRun(job, this.#runner);
    if (this.#running.size === settings.concurrency - 1) this.#lastFree = this.#clock.monotonic();
    this.#running.add(run);
    this.#keeper.keep(run.lease, run);
    if (events.has("active")) events.emit("active", { job });
    background(run.go());
  }

  #ended(run: JobRun<Out>, end: HandlerEnd): void {
    this.#running.delete(run);
    this.#settling++;
    this.#pace.ended(run.ms);
    if (end.type === "timeout") this.#watchOverrun(run.job, end.end);
    this.#start();
    this.#notify();
  }

  #settled(run: JobRun<Out>, end: JobEnd): void {
    this.#keeper.drop(run.lease);
    this.#settling--;
    this.#announce(run, end);
    this.#start();
    this.#notify();
    const { events } = this.#parts;
    if (events.has("idle") && this.inHand + this.#buffer.length === 0) events.emit("idle", undefined);
  }

  #announce({ job, ms }: JobRun<Out>, end: JobEnd): void {
    const { events, errors } = this.#parts;
    switch (end.type) {
      case "completed":
        this.#done++;
        if (events.has("completed")) events.emit("completed", { job, result: end.result, ms });
        return;
      case "failed":
        this.#done++;
        events.emit("failed", { job, error: end.error, willRetry: !end.buried });
        if (end.buried) events.emit("buried", { job, error: end.error });
        return;
      case "buried":
        this.#done++;
        events.emit("buried", { job, error: end.error });
        return;
      case "returned":
        this.#done++;
        return;
      case "lost":
        // Told before, when the lease was lost while the handler ran.
        if (!end.known) events.emit("lost", { job, reason: "taken-over" });
        return;
      case "unsettled":
        errors.report(end.error, job.id);
    }
  }

  // ---- leases -----------------------------------------------------------------------------------------------------

  #lost(run: JobRun<Out>, reason: LostReason): void {
    if (this.#running.has(run)) this.#parts.events.emit("lost", { job: run.job, reason });
  }

  #watchOverrun(job: Job<Out>, end: Promise<void>): void {
    const tell = (): void => {
      this.#parts.errors.report(
        new Error(`the handler of job ${job.id} goes on although its time is over and its signal has aborted`),
        job.id,
      );
    };
    const timer = this.#clock.timer(ABORT_PATIENCE, tell, { background: true });
    background(end.then(() => timer.cancel()));
  }

  // ---- buffer -----------------------------------------------------------------------------------------------------

  #watchBuffer(): void {
    this.#bufferTimer ??= this.#clock.timer(BUFFER_PATIENCE / 4, () => this.#returnStale(), { background: true });
  }

  #returnStale(): void {
    this.#bufferTimer = undefined;
    const now = this.#clock.monotonic();
    const stale = new Set<Job<Out>>();
    for (const job of this.#buffer) {
      const { end, duration } = jobInside().lease(job);
      if (now - (end - duration) >= Math.min(BUFFER_PATIENCE, duration / 3)) stale.add(job);
    }
    if (stale.size > 0) {
      for (const job of this.#buffer.splice(0)) if (!stale.has(job)) this.#buffer.push(job);
      this.#pace.stalled();
      background(this.#giveBack([...stale]));
    }
    if (this.#buffer.length > 0) this.#watchBuffer();
  }

  async #giveBack(jobs: readonly Job<Out>[]): Promise<number> {
    let count = 0;
    const release = async (job: Job<Out>): Promise<void> => {
      try {
        await job.release();
        count++;
      } catch (error) {
        this.#parts.errors.report(error, job.id);
      }
    };
    await Promise.all(jobs.map(release));
    return count;
  }
}

function mayGo({ holds }: Waiter): boolean {
  return holds();
}
