/** Take: the first of the jobs that may be given out are leased. */
import type { TakeParams } from "../backend.ts";
import type { QueueState } from "./queue-state.ts";

/**
 * Lease up to `limit` jobs and count them; their slots, in the order in which they are given. The queue has caught up with `now`, and
 * `queue.heldBy` knows none for this request. Fences must grow with every call of `nextFence`, also across restarts.
 */
export function take(
  queue: QueueState,
  params: Pick<TakeParams, "request" | "limit" | "lease">,
  now: number,
  nextFence: () => number,
): number[] {
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
  queue.counters.take += slots.length;
  return slots;
}
