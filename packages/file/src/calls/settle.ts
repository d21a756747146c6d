/** Settle: each item is decided and applied at once; one SETTLE record says what each job has become. */
import type { SettleOutcome, SettleParams } from "@pq/core/backend";
import {
  applySettled, type ByteReader, type ByteWriter, countSettled, decideSettlement, FREE, GONE, holderOf, outcomeOf, type QueueState,
  recall, type Settled,
} from "@pq/core/state"; // prettier-ignore
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { SETTLE } from "../records.ts";

const TYPES = ["ack", "release", "requeue", "fail", "bury"] as const;
const LOST = 255;
const words = new Int32Array(4);

/** Decide, write down and apply each item. The queue has caught up with `now`. */
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
    const settled = decideSettlement(queue, slot, item, now);
    writeSettled(out, queue.jobs.table.id(slot, words), settled);
    applySettled(queue, slot, settled, { time: now, order: queue.order });
    return outcomeOf(settled);
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
    outcomes.push(outcomeOf(settled));
    const slot = queue.jobs.find(words);
    if (slot >= 0) applySettled(queue, slot, settled, { time: now, order });
    else countSettled(queue, settled);
  }
  queue.order = Math.max(queue.order, order);
  queue.answers.remember(request, now, outcomes.length, recall(outcomes));
}

function writeSettled(out: ByteWriter, id: Int32Array, settled: Settled): void {
  out.u8(TYPES.indexOf(settled.type));
  out.u8(settled.state);
  out.words(id);
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
