/** Settle: each item is decided by its own proof and applied at once; one SETTLE record says what each job has become. */
import type { SettleOutcome, SettleParams, Settlement } from "@pq/core/backend";
import {
  BURIED,
  type ByteReader,
  type ByteWriter,
  DELAYED,
  DONE,
  FREE,
  LEASED,
  parseWords,
  type QueueState,
  READY,
  recall,
  type Since,
  STATE_NAMES,
} from "@pq/core/state";
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { SETTLE } from "../records.ts";

const TYPES = ["ack", "release", "requeue", "fail", "bury"] as const;
const LOST = 255;
const words = new Int32Array(4);

/** What a settlement makes of its job. `state` FREE: it is gone. */
interface Settled {
  readonly type: (typeof TYPES)[number];
  readonly state: number;
  readonly attempt: number;
  /** Delayed: when it is due. Done: when the result ends. */
  readonly moment: number;
  /** The time of the position after a requeue. */
  readonly time: number;
  readonly error: string | null;
  readonly result: Uint8Array | null;
}

const GONE: Settled = {
  type: "ack", state: FREE, attempt: 0, moment: 0, time: 0, error: null, result: null,
}; // prettier-ignore

/** The slot whose newest lease this is, or -1. The queue has caught up, so every lease that is there still runs. */
export function holderOf(queue: QueueState, id: string, fence: number): number {
  parseWords(id, words);
  const slot = queue.jobs.find(words);
  return slot >= 0 && queue.jobs.table.state(slot) === LEASED && queue.jobs.extra(slot).fence === fence ? slot : -1;
}

/** Decide, apply and write down each item. The queue has caught up with `now`. */
export function settle(
  queue: QueueState,
  { request, items }: SettleParams,
  now: number,
  frames: FrameWriter,
): SettleOutcome[] {
  const { out } = frames;
  frames.begin(SETTLE, FIRST);
  out.u32(queue.number);
  out.f64(now);
  writeRequest(out, request);
  out.f64(queue.order);
  out.u32(items.length);
  const outcomes = items.map((item): SettleOutcome => {
    queue.order++;
    const slot = holderOf(queue, item.id, item.fence);
    if (slot < 0) {
      out.u8(LOST);
      return "lost";
    }
    const settled = decide(queue, slot, item, now);
    writeSettled(out, settled);
    apply(queue, slot, settled, { time: now, order: queue.order });
    return outcomeOf(settled.state);
  });
  frames.end();
  return outcomes;
}

/** Replay a SETTLE record. */
export function replaySettle(queue: QueueState, now: number, input: ByteReader): void {
  const request = readRequest(input);
  const outcomes: SettleOutcome[] = [];
  let order = input.f64();
  for (let left = input.u32(); left > 0; left--) {
    const type = input.u8();
    order++;
    if (type === LOST) {
      outcomes.push("lost");
      continue;
    }
    const settled = readSettled(input, TYPES[type] ?? "ack");
    outcomes.push(outcomeOf(settled.state));
    const slot = queue.jobs.find(words);
    if (slot >= 0) apply(queue, slot, settled, { time: now, order });
    else count(queue, settled);
  }
  queue.order = Math.max(queue.order, order);
  queue.answers.remember(request, now, outcomes.length, recall(outcomes));
}

function outcomeOf(state: number): SettleOutcome {
  return STATE_NAMES[state] ?? "gone";
}

function decide(queue: QueueState, slot: number, item: Settlement, now: number): Settled {
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

function returning(now: number, delay: number): Pick<Settled, "state" | "moment"> {
  return delay > 0 ? { state: DELAYED, moment: now + delay } : { state: READY, moment: 0 };
}

/** A bury counts itself. */
function count(queue: QueueState, { type, state }: Settled): void {
  queue.counters[type]++;
  if (type === "fail" && state === BURIED) queue.counters.bury++;
}

function apply(queue: QueueState, slot: number, settled: Settled, since: Since): void {
  const { type, state, attempt, moment, time, error, result } = settled;
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

/** The id is in `words`. */
function writeSettled(out: ByteWriter, settled: Settled): void {
  out.u8(TYPES.indexOf(settled.type));
  out.u8(settled.state);
  out.words(words);
  if (settled.state === FREE) return;
  out.u32(settled.attempt);
  out.f64(settled.moment);
  out.f64(settled.time);
  out.u8((settled.error === null ? 0 : 1) | (settled.result === null ? 0 : 2));
  if (settled.error !== null) out.text(settled.error);
  if (settled.result !== null) out.blob(settled.result);
}

/** Leaves the id in `words`. */
function readSettled(input: ByteReader, type: Settled["type"]): Settled {
  const state = input.u8();
  input.words(words);
  if (state === FREE) return { ...GONE, type };
  const attempt = input.u32();
  const moment = input.f64();
  const time = input.f64();
  const has = input.u8();
  const error = (has & 1) === 0 ? null : input.text();
  const result = (has & 2) === 0 ? null : input.blob();
  return { type, state, attempt, moment, time, error, result };
}
