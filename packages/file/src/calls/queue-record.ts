/** The QUEUE record: what is known of a queue but its jobs, as it is at one place of the log. */
import { type ByteReader, COUNTER_NAMES, type QueueState } from "@pq/core/state";
import { FIRST, type FrameWriter } from "../frame.ts";
import { DROP, QUEUE } from "../records.ts";

/** Write the record. */
export function writeQueue(queue: QueueState, frames: FrameWriter): void {
  const { out } = frames;
  // Replay catches up with the record's time before it sets the counters: they must not lag behind it.
  queue.catchUp(queue.time, Infinity);
  queue.notedAt = queue.time;
  frames.begin(QUEUE, FIRST);
  out.u32(queue.number);
  out.f64(queue.time);
  out.u8(queue.nameBytes.length);
  out.bytes(queue.nameBytes);
  out.u8(queue.paused ? 1 : 0);
  out.f64(queue.order);
  out.f64(queue.freshTime);
  out.u8(COUNTER_NAMES.length);
  for (const name of COUNTER_NAMES) out.f64(queue.counters[name]);
  frames.end();
}

/** Replay the record; the reader stands behind the name. */
export function replayQueue(queue: QueueState, input: ByteReader): void {
  queue.paused = input.u8() === 1;
  queue.order = Math.max(queue.order, input.f64());
  queue.freshTime = Math.max(queue.freshTime, input.f64());
  const known = input.u8();
  for (const name of COUNTER_NAMES.slice(0, known)) queue.counters[name] = input.f64();
}

/** Write a DROP record: these jobs were put aside, since their records are damaged. */
export function writeDrop(queue: QueueState, ids: readonly Int32Array[], now: number, frames: FrameWriter): void {
  const { out } = frames;
  frames.begin(DROP, FIRST);
  out.u32(queue.number);
  out.f64(now);
  out.u32(ids.length);
  for (const words of ids) out.words(words);
  frames.end();
}
