/** A queue made of the engine's steps alone, as a store would use them, and all of its state in plain values. */
import type {
  ControlParams,
  PutOutcome,
  PutParams,
  SettleOutcome,
  Settlement,
  TakeParams,
  Touch,
} from "../../src/backend.ts";
import type { JobId, JobState } from "../../src/job.ts";
import {
  control,
  countPut,
  DELAYED,
  DONE,
  factsOf,
  formatJobId,
  isVisible,
  LEASED,
  listPage,
  planPut,
  QueueState,
  restoreJob,
  settle,
  snapshotJob,
  STATE_NAMES,
  stats,
  take,
  touch,
  URGENT,
  Usage,
} from "../../src/state/index.ts";

const STATES = ["ready", "delayed", "leased", "buried", "done"] as const;

/** What the engine and the reference both know of a job. */
export interface KnownJob {
  readonly id: JobId;
  readonly [field: string]: unknown;
}

/** One queue. */
export class Engine {
  queue: QueueState = new QueueState("q", 1, new Usage());
  #fence = 0;
  #written = 0;

  catchUp(now: number): QueueState {
    this.queue.catchUp(now, Infinity);
    return this.queue;
  }

  put(params: Pick<PutParams, "jobs" | "maxSize" | "partial">, now: number): PutOutcome[] {
    const queue = this.catchUp(now);
    const outcomes = planPut(queue, params);
    params.jobs.forEach((job, index) => {
      if (outcomes[index]?.status !== "added") return;
      const facts = factsOf(queue, job, now);
      const slot = queue.admit(facts);
      queue.jobs.locate(slot, 1 + (this.#written++ >> 4), this.#written, 100);
      queue.commit(slot, facts.dueAt !== null);
    });
    countPut(queue, params.jobs, outcomes);
    return outcomes;
  }

  take(params: Pick<TakeParams, "request" | "limit" | "lease">, now: number): KnownJob[] {
    const queue = this.catchUp(now);
    const held = queue.heldBy(params.request);
    const slots = held.length > 0 ? held : take(queue, params, now, () => ++this.#fence);
    return slots.map((slot) => this.#known(slot));
  }

  settle(items: readonly Settlement[], now: number): SettleOutcome[] {
    return settle(this.catchUp(now), items, now);
  }

  touch(items: readonly Touch[], now: number): boolean[] {
    return touch(this.catchUp(now), items, now);
  }

  control(params: ControlParams, now: number): object {
    return control(this.catchUp(now), params, now);
  }

  stats(now: number): object {
    return stats(this.catchUp(now));
  }

  /** All jobs of a state in their order, read in pages of this size. */
  list(state: JobState, limit: number, now: number): KnownJob[] {
    const queue = this.catchUp(now);
    const slots: number[] = [];
    let cursor: string | null = null;
    do {
      const page = listPage(queue, { state, limit, cursor });
      slots.push(...page.slots);
      cursor = page.cursor;
    } while (cursor !== null);
    return slots.map((slot) => this.#known(slot));
  }

  /** Become a queue that was made from what this one is, its jobs in other slots. */
  rebuild(order: <T>(items: T[]) => T[]): void {
    const old = this.queue;
    const queue = new QueueState("q", 1, new Usage());
    const { paused, order: last, freshTime, time } = old;
    Object.assign(queue, { paused, order: last, freshTime, time });
    Object.assign(queue.counters, old.counters);
    queue.answers.restore(old.answers);
    const slots = Array.from({ length: old.jobs.table.limit }, (_, slot) => slot).filter((slot) =>
      isVisible(old, slot),
    );
    for (const slot of order(slots.filter((slot) => STATE_NAMES[old.jobs.table.state(slot)] !== undefined))) {
      restoreJob(queue, structuredClone(snapshotJob(old, slot)));
    }
    this.queue = queue;
  }

  /** Everything that may have an effect later. */
  dump(now: number): object {
    const queue = this.catchUp(now);
    const { paused, order, freshTime, time, counters, answers, jobs } = queue;
    const all = STATES.map((state) =>
      listPage(queue, { state, limit: 10_000, cursor: null }).slots.map((slot) => this.#all(slot)),
    );
    const ends = [...jobs.ends].map((slot) => this.#all(slot));
    const keys = [...jobs.keys].map(([key, slot]) => `${key} ${this.#id(slot)}`).sort();
    const deliverable = [...jobs.ready].map((slot) => this.#id(slot));
    const moment = queue.nextMoment();
    const bytes = [jobs.usage.total, jobs.usage.of(1), jobs.usage.of(2)];
    const known = { paused, order, freshTime, time, counters, answers: [...answers] };
    return { ...known, all, ends, keys, deliverable, moment, bytes };
  }

  #all(slot: number): object {
    const { extra, ...moved } = this.queue.jobs.snapshot(slot).moved;
    const { table } = this.queue.jobs;
    return { ...moved, ...extra, ...this.#known(slot), time: table.time(slot), sequence: table.sequence(slot) };
  }

  #id(slot: number): JobId {
    return formatJobId(this.queue.jobs.table.id(slot, new Int32Array(4)));
  }

  #known(slot: number): KnownJob {
    const { facts, moved } = snapshotJob(this.queue, slot);
    const { state, attempt, extra } = moved;
    return {
      id: this.#id(slot),
      state: STATE_NAMES[state],
      priority: facts.priority,
      urgent: this.queue.jobs.table.has(slot, URGENT),
      key: facts.key,
      group: facts.group,
      attempt,
      maxAttempts: facts.maxAttempts,
      fence: extra.fence,
      dueAt: state === DELAYED ? extra.moment : null,
      expiresAt: facts.expiresAt,
      leaseUntil: state === LEASED ? extra.moment : null,
      buryReason: extra.buryReason,
      lastError: extra.lastError,
      progress: extra.progress && Buffer.from(extra.progress).toString(),
      result: state === DONE ? extra.result && Buffer.from(extra.result).toString() : null,
    };
  }
}
