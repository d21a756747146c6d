/** Touch: leases are extended and progress is stored at once; one TOUCH record says until when each lease lasts now. */
import type { TouchParams } from "@pq/core/backend";
import {
  applyExtension,
  type ByteReader,
  decideExtension,
  holderOf,
  LEASED,
  type QueueState,
  recall,
} from "@pq/core/state";
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { TOUCH } from "../records.ts";

const words = new Int32Array(4);

/** Extend each lease that still runs. The queue has caught up with `now`. */
export function touch(queue: QueueState, { request, items }: TouchParams, now: number, frames: FrameWriter): boolean[] {
  const { out } = frames;
  frames.begin(TOUCH, FIRST);
  out.u32(queue.number);
  out.f64(now);
  writeRequest(out, request);
  out.u32(items.length);
  const outcomes = items.map((item) => {
    const slot = holderOf(queue, item.id, item.fence);
    out.u8((slot < 0 ? 0 : 1) | (item.progress === null ? 0 : 2));
    if (slot < 0) return false;
    const extension = decideExtension(queue, slot, item, now);
    out.words(queue.jobs.table.id(slot, words));
    out.f64(extension.until);
    if (extension.progress !== null) out.blob(extension.progress);
    applyExtension(queue, slot, extension);
    return true;
  });
  frames.end();
  return outcomes;
}

/** Replay a TOUCH record. */
export function replayTouch(queue: QueueState, now: number, input: ByteReader): void {
  const request = readRequest(input);
  const outcomes: boolean[] = [];
  for (let left = input.u32(); left > 0; left--) {
    const has = input.u8();
    outcomes.push((has & 1) !== 0);
    if ((has & 1) === 0) continue;
    input.words(words);
    const until = input.f64();
    const progress = (has & 2) === 0 ? null : input.blob();
    const slot = queue.jobs.find(words);
    if (slot >= 0 && queue.jobs.table.state(slot) === LEASED) applyExtension(queue, slot, { until, progress });
    else queue.counters.touch++;
  }
  queue.answers.remember(request, now, outcomes.length, recall(outcomes));
}
