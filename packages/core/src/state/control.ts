/** Control: an operator's command. First it is found out what it changes, then each of these jobs is changed, then the queue itself. */
import type { ControlParams, ControlResult } from "../backend.ts";
import type { JobId } from "../job.ts";
import { parseWords } from "./ids.ts";
import { BURIED } from "./job-table.ts";
import { isVisible, type QueueState, type Since } from "./queue-state.ts";

/** A command without what names the call: neither request nor queue. */
export type Command = Nameless<ControlParams>;
type Nameless<T> = T extends unknown ? Omit<T, "request" | "queue"> : never;

/** The jobs that a command changes one by one, and what the caller is told. */
export interface ControlPlan {
  readonly slots: readonly number[];
  readonly result: ControlResult;
}

const words = new Int32Array(4);

/** Do what the command says. The queue has caught up with `now`. */
export function control(queue: QueueState, command: Command, now: number): ControlResult {
  const { slots, result } = planControl(queue, command);
  const time = queue.fresh(now);
  for (const slot of slots) applyControl(queue, command.type, slot, { time, order: ++queue.order });
  finishControl(queue, command.type, result);
  return result;
}

/** Find out what a command changes, changing nothing. The queue has caught up. */
export function planControl(queue: QueueState, command: Command): ControlPlan {
  switch (command.type) {
    case "kick":
      return planKick(queue, command.limit);
    case "dig":
      return planByIds(queue, command.ids, "invalid-state", (slot) => queue.jobs.table.state(slot) === BURIED);
    case "delete":
      return planByIds(queue, command.ids, "not-found", () => true);
    case "truncate": {
      const { table, pending } = queue.jobs;
      return { slots: [], result: { count: table.count - pending, outcomes: [] } };
    }
    case "pause":
    case "resume":
      return { slots: [], result: { count: 0, outcomes: [] } };
  }
}

/**
 * Change one of the jobs, and count it. -1 stands for a job that is not known any more. `since` is the time of a fresh position
 * (`queue.fresh`), and a number that no other change has.
 */
export function applyControl(queue: QueueState, type: Command["type"], slot: number, since: Since): void {
  if (type === "kick" || type === "dig") {
    queue.counters[type]++;
    if (slot >= 0) queue.toTheEnd(slot, 0, since);
  } else if (type === "delete") {
    queue.counters.delete++;
    if (slot >= 0) queue.remove(slot);
  }
}

/** Change the queue itself, after its jobs. */
export function finishControl(queue: QueueState, type: Command["type"], { count }: ControlResult): void {
  if (type === "truncate") {
    queue.counters.delete += count;
    queue.truncate();
  }
  if (type === "pause" || type === "resume") queue.paused = type === "pause";
}

function planKick(queue: QueueState, limit: number): ControlPlan {
  const slots: number[] = [];
  for (const slot of queue.jobs.buried) {
    if (slots.length >= limit) break;
    slots.push(slot);
  }
  return { slots, result: { count: slots.length, outcomes: [] } };
}

/** `again` is the outcome for an id that is named a second time. */
function planByIds(
  queue: QueueState,
  ids: readonly JobId[],
  again: "not-found" | "invalid-state",
  allowed: (slot: number) => boolean,
): ControlPlan {
  const chosen = new Set<number>();
  const outcomes = ids.map((id) => {
    parseWords(id, words);
    const slot = queue.jobs.find(words);
    if (!isVisible(queue, slot)) return "not-found";
    if (chosen.has(slot)) return again;
    if (!allowed(slot)) return "invalid-state";
    chosen.add(slot);
    return "done";
  });
  return { slots: [...chosen], result: { count: chosen.size, outcomes } };
}
