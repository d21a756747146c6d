/**
 * Take: the first of the jobs that may be given out are leased at once, and a LEASE record says so. Their attempts
 * count from the moment that record is written, so a crash of the holder counts.
 *
 * Fences grow also when the last LEASE records were lost with the machine: see `fences.ts`.
 */
import type { TakeParams } from "@pq/core/backend";
import { type ByteReader, type QueueState, take as lease } from "@pq/core/state";
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { LEASE } from "../records.ts";

const words = new Int32Array(4);

/** When a take is, and the fences that it gives. */
export interface TakeMoment {
  readonly now: number;
  readonly nextFence: () => number;
}

/** Lease up to `limit` jobs and write it down. To be called when there is one to give. */
export function take(
  queue: QueueState,
  params: TakeParams,
  { now, nextFence }: TakeMoment,
  frames: FrameWriter,
): number[] {
  const slots = lease(queue, params, now, nextFence);
  const { out } = frames;
  frames.begin(LEASE, FIRST);
  out.u32(queue.number);
  out.f64(now);
  writeRequest(out, params.request);
  out.f64(queue.order - slots.length);
  out.u32(slots.length);
  for (const slot of slots) {
    const { fence, lease } = queue.jobs.extra(slot);
    out.words(queue.jobs.table.id(slot, words));
    out.f64(fence);
    out.u32(queue.jobs.table.attempt(slot));
    out.f64(lease);
  }
  frames.end();
  return slots;
}

/** Replay a LEASE record. Returns the greatest fence in it. */
export function replayTake(queue: QueueState, now: number, input: ByteReader): number {
  const request = readRequest(input);
  let greatest = 0;
  let order = input.f64();
  for (let left = input.u32(); left > 0; left--) {
    input.words(words);
    const fence = input.f64();
    const attempt = input.u32();
    const lease = input.f64();
    greatest = Math.max(greatest, fence);
    queue.counters.take++;
    order++;
    const slot = queue.jobs.find(words);
    if (slot < 0) continue;
    queue.lease(slot, { fence, attempt, lease, until: now + lease, by: request }, { time: now, order });
  }
  queue.order = Math.max(queue.order, order);
  return greatest;
}
