/**
 * One queue: its jobs, and each change of a job as a small method. Deciding what is to change is the business of the
 * calls (put.ts, take.ts and so on); the same methods serve a live call and its replay from a log.
 *
 * Changes that time makes (a lease runs out, a job falls due, a TTL ends) need not be in a log: they follow from what is.
 * `catchUp` makes them, before each call and, at the time of each record, during replay.
 */
import type { Counters } from "../backend.ts";
import type { BuryReason, RequestId } from "../job.ts";
import { Answers } from "./answers.ts";
import { USUAL_ATTEMPTS } from "./extra.ts";
import type { JobFacts, MovedState } from "./job-facts.ts";
import { BURIED, DELAYED, DONE, LEASED, PENDING, PLACED, READY, RETURNED, URGENT } from "./job-table.ts";
import { Jobs } from "./jobs.ts";
import type { Usage } from "./usage.ts";

/** Counters that can be counted up. */
export type MutableCounters = { -readonly [name in keyof Counters]: number };

/** The counters in the order in which they are stored. New ones go to the end. */
export const COUNTER_NAMES: readonly (keyof Counters)[] = [
  "put", "urgent", "take", "ack", "release", "requeue", "fail", "bury", "kick", "dig",
  "delete", "touch", "expired", "leaseExpired", "duplicate",
]; // prettier-ignore

/** A lease that is given. */
export interface Lease {
  readonly fence: number;
  readonly attempt: number;
  readonly lease: number;
  readonly until: number;
  readonly by: RequestId;
}

/** Since when a job is in its state: a time, and a number among those of the same time. Every logged change has a number of its own. */
export interface Since {
  readonly time: number;
  readonly order: number;
}

/** The jobs, counters and changes of one queue. */
export class QueueState {
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly number: number;
  readonly counters: MutableCounters;
  readonly answers: Answers = new Answers();
  jobs: Jobs;
  paused = false;
  /** The last number given to a logged change or a position. */
  order = 0;
  /** The latest time that a fresh position has: it does not go back when the clock does. */
  freshTime = 0;
  /** The latest time that was caught up with: the counters speak of it. */
  time = 0;
  /** When the counters were last written to the log. */
  notedAt = 0;
  readonly #usage: Usage;

  constructor(name: string, number: number, usage: Usage) {
    this.name = name;
    this.nameBytes = Buffer.from(name);
    this.number = number;
    this.counters = Object.fromEntries(COUNTER_NAMES.map((counter) => [counter, 0])) as MutableCounters;
    this.jobs = new Jobs(usage);
    this.#usage = usage;
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  /** Make up to `most` of the changes that were due by `now`. `true`: none is left. */
  catchUp(now: number, most: number): boolean {
    let left = most;
    this.time = Math.max(this.time, now);
    const { leased, delayed, ends } = this.jobs;
    for (let slot = leased.first(); slot >= 0 && this.#moment(slot) <= now; slot = leased.first()) {
      if (left-- <= 0) return false;
      this.#expireLease(slot);
    }
    for (let slot = delayed.first(); slot >= 0 && this.#moment(slot) <= now; slot = delayed.first()) {
      if (left-- <= 0) return false;
      this.#fallDue(slot);
    }
    for (let slot = ends.first(); slot >= 0 && (this.jobs.endOf(slot) ?? Infinity) <= now; slot = ends.first()) {
      if (left-- <= 0) return false;
      if (this.jobs.table.state(slot) !== DONE) this.counters.expired++;
      this.remove(slot);
    }
    return true;
  }

  /** The next moment at which a job may become ready by itself, or `null`. */
  nextMoment(): number | null {
    const { leased, delayed } = this.jobs;
    const moments = [leased.first(), delayed.first()].filter((slot) => slot >= 0).map((slot) => this.#moment(slot));
    return moments.length === 0 ? null : Math.min(...moments);
  }

  /** The jobs that this request leased and still holds, in the order in which they were given. */
  heldBy(request: RequestId): number[] {
    const { jobs } = this;
    return jobs.takes.find(request).sort((a, b) => jobs.extra(a).fence - jobs.extra(b).fence);
  }

  // ---- positions --------------------------------------------------------------------------------------------------

  /** The time of a position given now. */
  fresh(now: number): number {
    this.freshTime = Math.max(this.freshTime, now);
    return this.freshTime;
  }

  /** Note a position's number read from the log, of which only the low 32 bits are known. */
  sawSequence(sequence: number): void {
    this.order += Math.max(0, (sequence - this.order) | 0);
  }

  // ---- changes of one job -----------------------------------------------------------------------------------------

  /** Enter a new job, PENDING. `holdsKey`: `false` for one that is restored as done, whose key may be another's by now. */
  admit(job: JobFacts, holdsKey = true): number {
    const { jobs } = this;
    const slot = jobs.create(job.words);
    jobs.table.setPosition(slot, job.time, job.sequence);
    jobs.table.setPriority(slot, job.priority);
    if (job.urgent) jobs.table.setFlag(slot, URGENT, true);
    if (job.dueAt === null) jobs.table.setFlag(slot, PLACED, true);
    if (!isPlain(job)) {
      const extra = jobs.needExtra(slot);
      extra.key = job.key;
      extra.group = job.group;
      extra.expiresAt = job.expiresAt;
      extra.ownLease = job.ownLease;
      extra.keepResult = job.keepResult;
      extra.maxAttempts = job.maxAttempts;
      extra.moment = job.dueAt ?? 0;
      extra.since = job.createdAt;
      // The sequence is the low half of the number that the position was given.
      extra.order = this.order + ((job.sequence - this.order) | 0);
      if (job.key !== null && holdsKey) jobs.keys.set(job.key, slot);
    }
    return slot;
  }

  /** A PENDING job is on disk: from now on it is there. */
  commit(slot: number, delayed: boolean): void {
    this.jobs.detach(slot);
    this.jobs.table.setState(slot, delayed ? DELAYED : READY);
    this.jobs.attach(slot);
  }

  lease(slot: number, { fence, attempt, lease, until, by }: Lease, since: Since): void {
    this.jobs.detach(slot);
    const extra = this.jobs.needExtra(slot);
    extra.fence = fence;
    extra.lease = lease;
    extra.moment = until;
    extra.leasedBy = by;
    this.jobs.table.setAttempt(slot, attempt);
    this.jobs.table.setFlag(slot, PLACED, true);
    this.#enter(slot, LEASED, since);
  }

  /** The lease lasts until then. */
  extend(slot: number, until: number, progress: Uint8Array | null): void {
    const extra = this.jobs.needExtra(slot);
    extra.progress = progress ?? extra.progress;
    if (until === extra.moment) return;
    this.jobs.detach(slot);
    extra.moment = until;
    this.jobs.attach(slot);
  }

  /** Back into the queue, to the place it had; at once when `dueAt` is 0. */
  giveBack(slot: number, attempt: number, dueAt: number, since: Since): void {
    this.jobs.detach(slot);
    this.jobs.table.setAttempt(slot, attempt);
    this.jobs.table.setFlag(slot, RETURNED, true);
    this.jobs.needExtra(slot).moment = dueAt;
    this.#enter(slot, dueAt > 0 ? DELAYED : READY, since);
  }

  /** To the end of its priority: what it has become since then is its position. */
  toTheEnd(slot: number, attempt: number, since: Since): void {
    const { jobs } = this;
    jobs.detach(slot);
    jobs.needExtra(slot).buryReason = null;
    jobs.table.setAttempt(slot, attempt);
    jobs.table.setFlag(slot, URGENT | RETURNED, false);
    jobs.table.setFlag(slot, PLACED, true);
    jobs.table.setPosition(slot, since.time, since.order >>> 0);
    this.#enter(slot, READY, since);
  }

  bury(slot: number, reason: BuryReason, since: Since): void {
    this.jobs.detach(slot);
    this.jobs.needExtra(slot).buryReason = reason;
    this.counters.bury++;
    this.#enter(slot, BURIED, since);
  }

  /** Done, its result kept until then. It no longer holds its key. */
  finish(slot: number, result: Uint8Array | null, until: number, since: Since): void {
    this.jobs.detach(slot);
    const extra = this.jobs.needExtra(slot);
    extra.result = result;
    extra.moment = until;
    this.jobs.releaseKey(slot, extra);
    this.#enter(slot, DONE, since);
  }

  remove(slot: number): void {
    this.jobs.detach(slot);
    this.jobs.forget(slot);
  }

  /** Remove every job at once: there is nothing left that knew them. */
  truncate(): void {
    this.#usage.subtract(this.jobs.usage);
    this.jobs = new Jobs(this.#usage);
  }

  /** Put a job into the state that a record of compaction or a checkpoint tells. */
  restore(slot: number, { state, flags, attempt, extra }: MovedState): void {
    const { jobs } = this;
    jobs.detach(slot);
    for (const flag of [URGENT, RETURNED, PLACED]) jobs.table.setFlag(slot, flag, (flags & flag) !== 0);
    jobs.table.setAttempt(slot, attempt);
    const hasExtra = extra.fence > 0 || state !== READY || extra.order > 0;
    if (hasExtra) Object.assign(jobs.needExtra(slot), extra);
    this.order = Math.max(this.order, extra.order);
    jobs.table.setState(slot, state);
    if (state === DONE) jobs.releaseKey(slot, jobs.needExtra(slot));
    jobs.attach(slot);
  }

  /** Put a job without an extra into the state that a checkpoint tells. */
  reinstate(slot: number, state: number, flags: number, attempt: number): void {
    const { jobs } = this;
    jobs.detach(slot);
    jobs.table.setFlag(slot, flags, true);
    jobs.table.setAttempt(slot, attempt);
    jobs.table.setState(slot, state);
    jobs.attach(slot);
  }

  #moment(slot: number): number {
    return this.jobs.extra(slot).moment;
  }

  #expireLease(slot: number): void {
    this.counters.leaseExpired++;
    const attempt = this.jobs.table.attempt(slot);
    const { moment, order, maxAttempts } = this.jobs.extra(slot);
    const since = { time: moment, order };
    if (attempt >= maxAttempts) this.bury(slot, "lease-expired", since);
    else this.giveBack(slot, attempt, 0, since);
  }

  #fallDue(slot: number): void {
    this.jobs.detach(slot);
    this.jobs.table.setFlag(slot, PLACED, true);
    const { moment, order } = this.jobs.extra(slot);
    this.#enter(slot, READY, { time: moment, order });
  }

  /** Into the lists of a state; the job is detached. */
  #enter(slot: number, state: number, { time, order }: Since): void {
    const extra = this.jobs.needExtra(slot);
    extra.since = time;
    extra.order = order;
    this.order = Math.max(this.order, order);
    if (state !== LEASED) extra.leasedBy = null;
    this.jobs.table.setState(slot, state);
    this.jobs.attach(slot);
  }
}

/** Does the job need nothing but its columns? */
function isPlain(job: JobFacts): boolean {
  return (
    job.key === null &&
    job.group === null &&
    job.expiresAt === null &&
    job.ownLease === null &&
    job.keepResult === null &&
    job.dueAt === null &&
    job.maxAttempts === USUAL_ATTEMPTS
  );
}

/** Is the job there for those who ask? */
export function isVisible(queue: QueueState, slot: number): boolean {
  return slot >= 0 && queue.jobs.table.state(slot) !== PENDING;
}
