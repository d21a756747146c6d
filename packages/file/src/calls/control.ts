/** Control: an operator's command is applied at once; one CONTROL record names the jobs it changed and their new positions. */
import type { ControlParams, ControlResult } from "@pq/core/backend";
import {
  applyControl, type ByteReader, type ByteWriter, finishControl, planControl, type QueueState,
} from "@pq/core/state"; // prettier-ignore
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { CONTROL } from "../records.ts";

const TYPES = ["kick", "dig", "delete", "truncate", "pause", "resume"] as const;
const OUTCOMES = ["done", "not-found", "invalid-state"] as const;
const words = new Int32Array(4);

/** Plan, write down and apply. The queue has caught up with `now`. */
export function control(queue: QueueState, params: ControlParams, now: number, frames: FrameWriter): ControlResult {
  const { slots, result } = planControl(queue, params);
  const { out } = frames;
  frames.begin(CONTROL, FIRST);
  out.u32(queue.number);
  out.f64(now);
  writeRequest(out, params.request);
  out.u8(TYPES.indexOf(params.type));
  writeResult(out, result);
  const time = queue.fresh(now);
  out.f64(time);
  out.f64(queue.order);
  out.u32(slots.length);
  for (const slot of slots) {
    out.words(queue.jobs.table.id(slot, words));
    applyControl(queue, params.type, slot, { time, order: ++queue.order });
  }
  frames.end();
  finishControl(queue, params.type, result);
  return result;
}

/** Replay a CONTROL record. */
export function replayControl(queue: QueueState, now: number, input: ByteReader): void {
  const request = readRequest(input);
  const type = TYPES[input.u8()] ?? "resume";
  const result = readResult(input);
  const time = input.f64();
  let order = input.f64();
  for (let left = input.u32(); left > 0; left--) {
    input.words(words);
    applyControl(queue, type, queue.jobs.find(words), { time, order: ++order });
  }
  queue.order = Math.max(queue.order, order);
  finishControl(queue, type, result);
  queue.answers.remember(request, now, 1 + result.outcomes.length, () => result);
}

function writeResult(out: ByteWriter, { count, outcomes }: ControlResult): void {
  out.f64(count);
  out.u32(outcomes.length);
  for (const outcome of outcomes) out.u8(OUTCOMES.indexOf(outcome));
}

function readResult(input: ByteReader): ControlResult {
  const count = input.f64();
  const length = input.u32();
  return { count, outcomes: Array.from({ length }, () => OUTCOMES[input.u8()] ?? "done") };
}
