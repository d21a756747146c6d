/** Touch: leases are extended, and progress is stored. */
import type { Touch } from "../backend.ts";
import type { QueueState } from "./queue-state.ts";
import { holderOf } from "./settle.ts";

/** What a touch makes of its job. */
export interface Extension {
  /** The lease lasts until then. */
  readonly until: number;
  /** `null`: what is there stays. */
  readonly progress: Uint8Array | null;
}

/** Extend each lease that still runs. The queue has caught up with `now`. */
export function touch(queue: QueueState, items: readonly Touch[], now: number): boolean[] {
  return items.map((item) => {
    const slot = holderOf(queue, item.id, item.fence);
    if (slot < 0) return false;
    applyExtension(queue, slot, decideExtension(queue, slot, item, now));
    return true;
  });
}

/** What an item makes of the job that it holds, changing nothing. The progress is a copy. */
export function decideExtension(queue: QueueState, slot: number, { lease, progress }: Touch, now: number): Extension {
  return {
    until: Math.max(queue.jobs.extra(slot).moment, now + lease),
    progress: progress && Buffer.from(progress),
  };
}

/** Extend the lease of a leased job, and count it. */
export function applyExtension(queue: QueueState, slot: number, { until, progress }: Extension): void {
  queue.counters.touch++;
  queue.extend(slot, until, progress);
}
