/**
 * Take: the first of the jobs that may be given out are leased at once, and a LEASE record says so. Their attempts
 * count from the moment that record is written, so a crash of the holder counts.
 *
 * Fences grow also when the last LEASE records were lost with the machine: see `fences.ts`.
 */
import type { RequestId, TakeParams } from "@pq/core/backend";
import type { ByteReader, QueueState } from "@pq/core/state";
import { FIRST, type FrameWriter } from "../frame.ts";
import { readRequest, writeRequest } from "../job-record.ts";
import { LEASE } from "../records.ts";

const words = new Int32Array(4);

/** Lease up to `limit` jobs. The queue has caught up with `now`. Writes nothing when it gives nothing. */
export function take(queue: QueueState, params: TakeParams, now: number, nextFence: () => number): number[] {
  const slots: number[] = [];
  if (queue.paused) return slots;
  const { ready, table } = queue.jobs;
  for (let slot = ready.first(); slot >= 0 && slots.length < params.limit; slot = ready.first()) {
    const lease = queue.jobs.extraIfAny(slot)?.ownLease ?? params.lease;
    const attempt = table.attempt(slot) + 1;
    const since = { time: now, order: ++queue.order };
    queue.lease(slot, { fence: nextFence(), attempt, lease, until: now + lease, by: params.request }, since);
    slots.push(slot);
  }
  if (slots.length > 0) queue.takes.remember(params.request, slots);
  return slots;
}

/** What a take gave. */
export interface Taken {
  readonly request: RequestId;
  readonly slots: readonly number[];
  readonly now: number;
}

/** Write down what `take` gave. */
export function writeTake(queue: QueueState, { request, slots, now }: Taken, frames: FrameWriter): void {
  const { out } = frames;
  frames.begin(LEASE, FIRST);
  out.u32(queue.number);
  out.f64(now);
  writeRequest(out, request);
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
  queue.counters.take += slots.length;
}

/** Replay a LEASE record. Returns the greatest fence in it. */
export function replayTake(queue: QueueState, now: number, input: ByteReader): number {
  const request = readRequest(input);
  const slots: number[] = [];
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
    slots.push(slot);
  }
  queue.order = Math.max(queue.order, order);
  queue.takes.remember(request, slots);
  return greatest;
}
