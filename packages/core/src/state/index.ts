/**
 * `@pq/core/state`: one queue in memory, the whole contract as synchronous steps, for stores that keep a log and hold their
 * jobs in memory. What is done depends on the calls alone: not on the clock, on chance, or on where a job stands in memory.
 */
export { Answers, recall, type Remembered, REPEAT_WINDOW } from "./answers.ts";
export { ByteReader, ByteWriter } from "./bytes.ts";
export { applyControl, type Command, control, type ControlPlan, finishControl, planControl } from "./control.ts";
export { crc32c, updateCrc32c } from "./crc32c.ts";
export { Extra, USUAL_ATTEMPTS } from "./extra.ts";
export { formatJobId, formatRequest, parseWords } from "./ids.ts";
export type { JobFacts, MovedState } from "./job-facts.ts";
export {
  BURIED,
  DELAYED,
  DONE,
  EXTRA,
  FREE,
  JobTable,
  LEASED,
  PENDING,
  PLACED,
  READY,
  RETURNED,
  STATE_NAMES,
  URGENT,
} from "./job-table.ts";
export { comparePlaces, Jobs, type Place } from "./jobs.ts";
export { listPage, type ListPage, slotsOfIds } from "./listing.ts";
export { ADDED, countOutcomes, countPut, factsOf, FULL, planPut } from "./put.ts";
export { COUNTER_NAMES, isVisible, type Lease, type MutableCounters, QueueState, type Since } from "./queue-state.ts";
export {
  applySettled,
  countSettled,
  decideSettlement,
  GONE,
  holderOf,
  outcomeOf,
  settle,
  type Settled,
} from "./settle.ts";
export { type Compare, SlotList } from "./slot-list.ts";
export { type JobSnapshot, restoreJob, snapshotJob } from "./snapshot.ts";
export { stats } from "./stats.ts";
export { take } from "./take.ts";
export { Takes } from "./takes.ts";
export { applyExtension, decideExtension, type Extension, touch } from "./touch.ts";
export { Usage } from "./usage.ts";
export { Waiters } from "./waiters.ts";
export { giveWay } from "./yield.ts";
