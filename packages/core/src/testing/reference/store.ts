import { type Clock, systemClock, type Timer } from "../../clock.ts";
import { PqError } from "../../errors.ts";
import type { RequestId } from "../../job.ts";
import { ReferenceQueue } from "./queue.ts";

/** How many calls of a queue are remembered by their request id, and for how long. */
export const REPEAT_WINDOW = { ms: 60_000, calls: 10_000 } as const;

/** A queue with what surrounds it: the waiters, and the answers of recent calls. */
interface Slot {
  readonly queue: ReferenceQueue;
  readonly waiters: Set<() => void>;
  readonly answers: Map<RequestId, { readonly at: number; readonly answer: unknown }>;
  alarm: Timer | undefined;
}

/** The part of the reference store that would be the server: the queues, one clock, and waking. Backends connect to it. */
export class ReferenceStore {
  readonly clock: Clock;
  readonly #slots = new Map<string, Slot>();
  readonly #newQueue: () => ReferenceQueue;

  /** `newQueue` lets the suite's mutants put in a queue of their own. */
  constructor(clock: Clock = systemClock, newQueue: () => ReferenceQueue = () => new ReferenceQueue()) {
    this.clock = clock;
    this.#newQueue = newQueue;
  }

  /** What happens to the queues when the server is killed and starts again. */
  restart(): void {
    for (const { queue } of this.#slots.values()) queue.restarted();
  }

  /** The names of the queues that ever had a job. */
  names(): string[] {
    return [...this.#slots].filter(([, { queue }]) => queue.counters.put > 0).map(([name]) => name);
  }

  /** Run one atomic step on a queue, then wake waiters for the jobs that became deliverable by it. */
  step<T>(name: string, act: (queue: ReferenceQueue, now: number) => T): T {
    const slot = this.#slot(name);
    const before = slot.waiters.size === 0 ? 0 : slot.queue.available();
    const result = act(slot.queue, this.clock.now());
    if (slot.waiters.size > 0) {
      this.#wake(slot, before);
      this.#setAlarm(name, slot);
    }
    return result;
  }

  /** `step`, answering a repeated request as the first time. Throws `UNAVAILABLE` when the request that this one must come after was not answered. */
  stepOnce<T>(
    name: string,
    { request, after = null }: { readonly request: RequestId; readonly after?: RequestId | null },
    act: (queue: ReferenceQueue, now: number) => T,
  ): T {
    const { answers } = this.#slot(name);
    const now = this.clock.now();
    for (const [old, { at }] of answers) {
      if (at + REPEAT_WINDOW.ms > now && answers.size <= REPEAT_WINDOW.calls) break;
      answers.delete(old);
    }
    const known = answers.get(request);
    if (known !== undefined) return known.answer as T;
    if (after !== null && !answers.has(after)) throw new PqError("UNAVAILABLE", "the put before this one has not come");
    const answer = this.step(name, act);
    answers.set(request, { at: now, answer });
    return answer;
  }

  /** Call `wake` once when a job of the queue may be ready. Returns the way to give up. */
  onReady(name: string, wake: () => void): () => void {
    const slot = this.#slot(name);
    slot.queue.catchUp(this.clock.now());
    if (slot.queue.available() > 0) {
      wake();
      return () => undefined;
    }
    slot.waiters.add(wake);
    this.#setAlarm(name, slot);
    return () => {
      slot.waiters.delete(wake);
      this.#setAlarm(name, slot);
    };
  }

  #slot(name: string): Slot {
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      slot = { queue: this.#newQueue(), waiters: new Set(), answers: new Map(), alarm: undefined };
      this.#slots.set(name, slot);
    }
    return slot;
  }

  /** As many waiters as there are new jobs, longest waiting first. */
  #wake(slot: Slot, before: number): void {
    const fresh = Math.max(0, slot.queue.available() - before);
    for (const wake of [...slot.waiters].slice(0, fresh)) {
      slot.waiters.delete(wake);
      wake();
    }
  }

  /** While somebody waits, look again at the next moment at which a job becomes ready by itself. */
  #setAlarm(name: string, slot: Slot): void {
    slot.alarm?.cancel();
    const moment = slot.queue.nextMoment();
    if (slot.waiters.size === 0 || moment === null) return;
    const look = (): void => this.step(name, (queue, now) => queue.catchUp(now));
    slot.alarm = this.clock.timer(Math.max(1, moment - this.clock.now()), look, { background: true });
  }
}
