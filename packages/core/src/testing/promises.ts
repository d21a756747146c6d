import type { PromiseName } from "./rule.ts";

/** What the contract promises, in one sentence each, by the names that the rules refer to. */
export const promises: Readonly<Record<PromiseName, string>> = {
  P1: "`put` resolves once the job has reached the durability that the queue reports, read from the store's real settings",
  P2: "At-least-once: an accepted job is delivered until it is acked, buried, expired or removed by an operator",
  P3: "Every call settles by its deadline: done, not applied (`UNAVAILABLE`) or unknown (`OUTCOME_UNKNOWN`); it never hangs",
  P4: "Retries are safe: repeating a put, a take or a settle makes no second job, strands none and burns no attempt",
  P5: "Fenced leases: anything but the newest `(id, fence)` fails with `LEASE_LOST` and changes nothing",
  P6: "At most one holder while a lease is valid by the store's clock",
  P7: "A ready job is delivered at once while a consumer waits; recovery needs no daemon",
  P8: "Burying is atomic: never in two states, never in none",
  P9: "`putMany` is all or nothing; a put in a transaction is there if and only if it commits",
  P10: "Never early; lateness has a stated bound",
  P11: "Payload bytes out equal payload bytes in; a damaged record harms no other job",
  P12: "Limits are checked before sending, with an error that names the limit and the size",
  P13: "Closing is graceful, bounded and idempotent; nothing buffered is dropped silently",
  P14: "Idle costs are bounded: one wait per process and queue, no busy polling; cost per job does not grow with the backlog",
  states: "A job's life: every transition, and no other",
  order: "The order of jobs: urgent, priority, returned before fresh, first in first out; strict lanes in groups",
  api: "The other operations do what they say",
  seam: "The store keeps to the letter of `backend.ts`",
};
