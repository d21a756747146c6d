import type { Counters } from "../../backend.ts";

/** Counters while they count. */
export type MutableCounters = { -readonly [name in keyof Counters]: number };

/** The counters of a new queue. */
export function newCounters(): MutableCounters {
  return {
    put: 0,
    urgent: 0,
    take: 0,
    ack: 0,
    release: 0,
    requeue: 0,
    fail: 0,
    bury: 0,
    kick: 0,
    dig: 0,
    delete: 0,
    touch: 0,
    expired: 0,
    leaseExpired: 0,
    duplicate: 0,
  };
}
