import type { QueueStats } from "../backend.ts";
import type { QueueState } from "./queue-state.ts";

/** The jobs by state, and a copy of the counters. The queue has caught up. Jobs that are not committed do not count. */
export function stats(queue: QueueState): QueueStats {
  const { ready, held, delayed, leased, buried, done } = queue.jobs;
  return {
    ready: ready.size + held.size,
    delayed: delayed.size,
    leased: leased.size,
    buried: buried.size,
    done: done.size,
    paused: queue.paused,
    counters: { ...queue.counters },
  };
}
