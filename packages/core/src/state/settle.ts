/** Settle: each item is decided by its own proof, and applied before the next one is decided. */
import type { SettleOutcome, Settlement } from "../backend.ts";
import { parseWords } from "./ids.ts";
import { BURIED, DELAYED, DONE, FREE, LEASED, READY, STATE_NAMES } from "./job-table.ts";
import type { QueueState, Since } from "./queue-state.ts";

const words = new Int32Array(4);

/** What a settlement makes of its job. */
export interface Settled {
  readonly type: Settlement["type"];
  /** One of the numbers of `job-table.ts`. `FREE`: the job is gone, and nothing else here means anything. */
  readonly state: number;
  readonly attempt: number;
  /** Delayed: when it is due. Done: when the result ends. */
  readonly moment: number;
  /** The time of the position after a requeue. */
  readonly time: number;
  readonly error: string | null;
  readonly result: Uint8Array | null;
}

/** The job is gone with its ack. */
export const GONE: Settled = Object.freeze({
  type: "ack", state: FREE, attempt: 0, moment: 0, time: 0, error: null, result: null,
}); // prettier-ignore

/**
 * The slot whose newest lease this is, or -1. The queue has caught up with the moment of the call: a lease is over at its moment,
 * so every lease that is there still runs.
 */
export function holderOf(queue: QueueState, id: string, fence: number): number {
  parseWords(id, words);
  const slot = queue.jobs.find(words);
  return slot >= 0 && queue.jobs.table.state(slot) === LEASED && queue.jobs.extra(slot).fence === fence ? slot : -1;
}

/** Settle each item. The queue has caught up with `now`. */
export function settle(queue: QueueState, items: readonly Settlement[], now: number): SettleOutcome[] {
  return items.map((item): SettleOutcome => {
    queue.order++;
    const slot = holderOf(queue, item.id, item.fence);
    if (slot < 0) return "lost";
    const settled = decideSettlement(queue, slot, item, now);
    applySettled(queue, slot, settled, { time: now, order: queue.order });
    return outcomeOf(settled);
  });
}

/** What an item makes of the job that it holds. Nothing is changed but the time of the newest position. The result is a copy. */
export function decideSettlement(queue: QueueState, slot: number, item: Settlement, now: number): Settled {
  const attempt = queue.jobs.table.attempt(slot);
  const { keepResult, maxAttempts } = queue.jobs.extra(slot);
  switch (item.type) {
    case "ack":
      if (keepResult === null) return GONE;
      return {
        ...GONE,
        state: DONE,
        attempt,
        moment: now + keepResult,
        result: item.result && Buffer.from(item.result),
      };
    case "release":
      return { ...GONE, type: "release", attempt: attempt - 1, ...returning(now, item.delay) };
    case "requeue":
      return { ...GONE, type: "requeue", state: READY, attempt: attempt - 1, time: queue.fresh(now) };
    case "fail":
      if (attempt >= maxAttempts) return { ...GONE, type: "fail", state: BURIED, attempt, error: item.error };
      return { ...GONE, type: "fail", attempt, error: item.error, ...returning(now, item.delay) };
    case "bury":
      return { ...GONE, type: "bury", state: BURIED, attempt, error: item.error };
  }
}

/** Make the job what was decided, and count it. `since.order` is a number that no other change has. */
export function applySettled(queue: QueueState, slot: number, settled: Settled, since: Since): void {
  const { type, state, attempt, moment, time, error, result } = settled;
  // A bury counts itself.
  if (type !== "bury") queue.counters[type]++;
  if (error !== null) queue.jobs.needExtra(slot).lastError = error;
  queue.jobs.table.setAttempt(slot, attempt);
  switch (state) {
    case FREE:
      queue.remove(slot);
      break;
    case DONE:
      queue.finish(slot, result, moment, since);
      break;
    case BURIED:
      queue.bury(slot, type === "fail" ? "failed" : "buried", since);
      break;
    default:
      if (type === "requeue") queue.toTheEnd(slot, attempt, { time, order: since.order });
      else queue.giveBack(slot, attempt, moment, since);
  }
}

/** Count a settlement as `applySettled` does, where the job itself is not known any more. */
export function countSettled(queue: QueueState, { type, state }: Settled): void {
  queue.counters[type]++;
  if (type === "fail" && state === BURIED) queue.counters.bury++;
}

/** What the caller is told. */
export function outcomeOf({ state }: Settled): SettleOutcome {
  return STATE_NAMES[state] ?? "gone";
}

function returning(now: number, delay: number): Pick<Settled, "state" | "moment"> {
  return delay > 0 ? { state: DELAYED, moment: now + delay } : { state: READY, moment: 0 };
}
