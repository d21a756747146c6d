/**
 * A store between opening and closing: every call of the seam as one synchronous step on a queue's state, its record in the
 * log, and an answer once the record is on disk.
 *
 * **Who sees what when.** A job of a put is seen by nobody before it is on disk. Everything else is seen at once and
 * answered when it is on disk: until then a crash may undo it, which to the caller is a call that never came to an end.
 */
import type {
  Clock, ControlParams, ControlResult, DeliveredJob, PutOutcome, PutParams, QueueStats, ReadParams, ReadResult, RequestId,
  SettleOutcome, SettleParams, TakeParams, TouchParams, WaitParams,
} from "@pq/core/backend"; // prettier-ignore
import { giveWay, listPage, planPut, QueueState, recall, slotsOfIds, stats, Waiters } from "@pq/core/state";
import { control } from "./calls/control.ts";
import { abortPut, commitPut, draftPut, type PutDraft } from "./calls/put.ts";
import { writeQueue } from "./calls/queue-record.ts";
import { settle } from "./calls/settle.ts";
import { take } from "./calls/take.ts";
import { touch } from "./calls/touch.ts";
import type { Damage } from "./damage.ts";
import { unavailable } from "./errors.ts";
import type { FrameWriter } from "./frame.ts";
import { JobLoader } from "./job-loader.ts";
import type { Log } from "./log.ts";
import type { PayloadReader } from "./payload-reader.ts";
import type { Knowledge } from "./replay.ts";
import { deliveredView, storedView, type View } from "./views.ts";

/** Changes made by time that one slice makes, and the slices that a take waits for. */
const SLICE = 2000;
const MOST_SLICES = 50;
/** What a call that is no put may need of the reserve while the disk is full. */
const RESERVE_PER_CALL = 32 * 1024;
/** How long the log may go without the counters. */
const NOTE_EVERY = 1000;

/** What a store is made of. */
export interface StoreParts {
  readonly clock: Clock;
  readonly knowledge: Knowledge;
  readonly log: Log;
  readonly reader: PayloadReader;
  readonly damage: Damage;
  /** Called after each step that may have left a segment without life. */
  readonly tidy: () => void;
}

/** The store of an open folder. */
export class Store {
  readonly #parts: StoreParts;
  readonly #waiters = new Map<QueueState, Waiters>();
  readonly #loader: JobLoader;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#loader = new JobLoader({ ...parts, write: (queue, write) => this.#write(queue, write) });
  }

  async put(params: PutParams): Promise<readonly PutOutcome[]> {
    const { log } = this.#parts;
    if (log.full && !(await log.recoverSpace())) throw unavailable("the disk is full");
    const queue = this.#queue(params.queue);
    await this.#caughtUp(queue);
    return this.#once(queue, params.request, params.jobs.length, (now) => {
      const outcomes = planPut(queue, params);
      if (outcomes.every(({ status }) => status === "full")) return Promise.resolve(outcomes);
      return new Promise<readonly PutOutcome[]>((resolve, reject) => {
        const draft: PutDraft = log.append(
          {
            shed: true,
            done: (segment, base) => {
              this.#step(queue, () => commitPut(queue, draft, segment, base));
              resolve(outcomes);
            },
            failed: (error) => {
              abortPut(queue, draft);
              reject(error);
            },
          },
          (frames) => draftPut(queue, { params, outcomes, now }, frames),
        );
      });
    });
  }

  async take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    const queue = this.#parts.knowledge.queues.get(params.queue);
    this.#parts.log.check();
    if (queue === undefined || !(await this.#caughtUp(queue, MOST_SLICES))) return [];
    for (;;) {
      const repeated = queue.heldBy(params.request);
      if (repeated.length > 0) {
        return this.#loader.load(
          queue,
          repeated.map((slot) => deliveredView(queue, slot)),
        );
      }
      this.#needReserve();
      const now = this.#parts.clock.now();
      if (this.#deliverable(queue) === 0) return [];
      let views: View<DeliveredJob>[] = [];
      const moment = { now, nextFence: () => this.#parts.knowledge.fences.next() };
      const written = this.#write(
        queue,
        (frames) => {
          views = take(queue, params, moment, frames).map((slot) => deliveredView(queue, slot));
        },
        true,
      );
      const [jobs] = await Promise.all([this.#loader.load(queue, views), written]);
      if (jobs.length > 0 || queue.heldBy(params.request).length > 0) return jobs;
    }
  }

  async settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    const queue = this.#queue(params.queue);
    await this.#caughtUp(queue);
    return this.#once(queue, params.request, params.items.length, (now) =>
      this.#write(queue, (frames) => settle(queue, params, now, frames)),
    );
  }

  async touch(params: TouchParams): Promise<readonly boolean[]> {
    const queue = this.#queue(params.queue);
    await this.#caughtUp(queue);
    return this.#once(queue, params.request, params.items.length, (now) =>
      this.#write(queue, (frames) => touch(queue, params, now, frames)),
    );
  }

  async control(params: ControlParams): Promise<ControlResult> {
    const queue = this.#queue(params.queue);
    await this.#caughtUp(queue);
    return this.#once(queue, params.request, 1, (now) =>
      this.#write(queue, (frames) => control(queue, params, now, frames)),
    );
  }

  async wait({ queue: name, timeout, signal }: WaitParams): Promise<void> {
    this.#parts.log.check();
    const queue = this.#queue(name);
    const { clock } = this.#parts;
    if (!queue.catchUp(clock.now(), SLICE) || this.#deliverable(queue) > 0) return giveWay();
    const waiters = this.#waitersOf(queue);
    const waiting = waiters.wait(timeout, signal);
    waiters.expect(queue.nextMoment());
    await waiting;
  }

  async read(params: ReadParams): Promise<ReadResult> {
    const queue = this.#parts.knowledge.queues.get(params.queue);
    if (queue === undefined) return { jobs: [], cursor: null };
    await this.#caughtUp(queue);
    const { slots, cursor } =
      "ids" in params ? { slots: slotsOfIds(queue, params.ids), cursor: null } : listPage(queue, params);
    return {
      jobs: await this.#loader.load(
        queue,
        slots.map((slot) => storedView(queue, slot)),
      ),
      cursor,
    };
  }

  async stats(name: string): Promise<QueueStats> {
    const queue = this.#parts.knowledge.queues.get(name) ?? new QueueState(name, 0, this.#parts.knowledge.usage);
    await this.#caughtUp(queue);
    return stats(queue);
  }

  queues(): string[] {
    return [...this.#parts.knowledge.queues.values()]
      .filter(({ counters }) => counters.put > 0)
      .map(({ name }) => name);
  }

  /** Put a job aside whose record is damaged. */
  drop(queue: QueueState, slot: number): Promise<void> {
    return this.#loader.drop(queue, slot);
  }

  /** Write down the counters of all queues, for an orderly end. */
  note(): void {
    for (const queue of this.#parts.knowledge.queues.values()) this.#note(queue, Infinity);
  }

  /** Everybody who waits goes home. */
  stopWaiting(): void {
    for (const waiters of this.#waiters.values()) waiters.wake(waiters.size);
  }

  #queue(name: string): QueueState {
    return this.#parts.knowledge.queue(name);
  }

  /** Make all changes that are due, in slices. `false`: some are left after `slices` of them. */
  async #caughtUp(queue: QueueState, slices = Infinity): Promise<boolean> {
    const { clock, log } = this.#parts;
    // Consumers too find out that the disk has room again: there may be nobody who puts.
    if (!log.hasReserve(RESERVE_PER_CALL)) await log.recoverSpace();
    for (let left = slices; left > 0; left--) {
      let done = false;
      this.#step(queue, () => {
        done = queue.catchUp(clock.now(), SLICE);
      });
      if (done) return true;
      await giveWay();
    }
    return false;
  }

  /** Answer a repeated request as the first time; otherwise act now, and remember the answer from now on. */
  async #once<T>(queue: QueueState, request: RequestId, items: number, act: (now: number) => Promise<T>): Promise<T> {
    const known = queue.answers.find(request);
    if (known !== undefined) return known as T | Promise<T>;
    this.#parts.log.check();
    const now = this.#parts.clock.now();
    queue.catchUp(now, Infinity);
    this.#note(queue, now);
    const answer = act(now);
    queue.answers.remember(request, now, items, answer);
    try {
      const result = await answer;
      queue.answers.remember(request, now, items, recall(result));
      this.#parts.tidy();
      return result;
    } catch (error) {
      queue.answers.forget(request);
      throw error;
    }
  }

  /** While the disk is full, calls live on the reserve. Throws `UNAVAILABLE` when it is used up. */
  #needReserve(): void {
    const { log } = this.#parts;
    log.check();
    if (!log.hasReserve(RESERVE_PER_CALL)) throw unavailable("the disk is full, and the reserve is used up");
  }

  /** A step that takes effect at once; resolves with what it returned when its record is on disk, or with `lazy` written. */
  async #write<T>(queue: QueueState, write: (frames: FrameWriter) => T, lazy = false): Promise<T> {
    const { log } = this.#parts;
    this.#needReserve();
    return new Promise<T>((resolve, reject) => {
      this.#step(queue, () => {
        const result: T = log.append({ lazy, done: () => resolve(result), failed: reject }, write);
      });
    });
  }

  /** Run a step, then wake as many waiters as jobs have become ready by it. */
  #step(queue: QueueState, act: () => void): void {
    const waiters = this.#waiters.get(queue);
    if (waiters === undefined || waiters.size === 0) {
      act();
      return;
    }
    const before = this.#deliverable(queue);
    act();
    waiters.wake(this.#deliverable(queue) - before);
    waiters.expect(queue.nextMoment());
  }

  #deliverable(queue: QueueState): number {
    return queue.paused ? 0 : queue.jobs.ready.size;
  }

  #waitersOf(queue: QueueState): Waiters {
    let waiters = this.#waiters.get(queue);
    if (waiters === undefined) {
      const { clock } = this.#parts;
      waiters = new Waiters(clock, () => this.#step(queue, () => queue.catchUp(clock.now(), SLICE)));
      this.#waiters.set(queue, waiters);
    }
    return waiters;
  }

  /** Write the counters down when the log has been without for a while. */
  #note(queue: QueueState, now: number): void {
    if (now - queue.notedAt < NOTE_EVERY || this.#parts.log.broken) return;
    this.#parts.log.append({ lazy: true, done: () => undefined, failed: () => undefined }, (frames) =>
      writeQueue(queue, frames),
    );
  }
}
