/** Pages of jobs by state. A cursor is the place of the last job of a page, so paging goes on where it was whatever has changed since. */
import type { JobId, JobState } from "../job.ts";
import { parseWords } from "./ids.ts";
import { comparePlaces, type Place } from "./jobs.ts";
import { isVisible, type QueueState } from "./queue-state.ts";
import type { Compare, SlotList } from "./slot-list.ts";

/** One page. */
export interface ListPage {
  readonly slots: number[];
  readonly cursor: string | null;
}

/** The slots of those of the jobs that exist. */
export function slotsOfIds(queue: QueueState, ids: readonly JobId[]): number[] {
  const words = new Int32Array(4);
  return ids
    .map((id) => {
      parseWords(id, words);
      return queue.jobs.find(words);
    })
    .filter((slot) => isVisible(queue, slot));
}

/** A page of the jobs in a state. */
export function listPage(
  queue: QueueState,
  params: { state: JobState; limit: number; cursor: string | null },
): ListPage {
  const key = params.cursor === null ? null : params.cursor.split(":").map(Number);
  const slots: number[] = [];
  for (const slot of params.state === "ready" ? readyFrom(queue, key) : ordered(queue, params.state, key)) {
    if (slots.length === params.limit) return { slots, cursor: cursorOf(queue, params.state, slots.at(-1) ?? slot) };
    slots.push(slot);
  }
  return { slots, cursor: null };
}

function cursorOf(queue: QueueState, state: JobState, slot: number): string {
  if (state === "ready") {
    const { urgent, priority, returned, time, sequence } = queue.jobs.place(slot);
    return [Number(urgent), priority, Number(returned), time, sequence].join(":");
  }
  const { moment, since, order } = queue.jobs.extra(slot);
  return [moment, since, order].join(":");
}

/** Ready jobs in the order of their places: those that may be given out and those that wait for their group. */
function readyFrom(queue: QueueState, key: readonly number[] | null): Generator<number, void> {
  const { jobs } = queue;
  const probe =
    key === null ? (): number => 1 : (slot: number): number => comparePlaces(jobs.place(slot), placeOf(key));
  return merge(jobs.ready.from(probe), jobs.held.from(probe), (a, b) => comparePlaces(jobs.place(a), jobs.place(b)));
}

function placeOf([urgent = 0, priority = 0, returned = 0, time = 0, sequence = 0]: readonly number[]): Place {
  return { urgent: urgent === 1, priority, returned: returned === 1, time, sequence };
}

/** Two sorted sources as one. */
function* merge(
  left: Generator<number, void>,
  right: Generator<number, void>,
  compare: Compare,
): Generator<number, void> {
  let a = left.next();
  let b = right.next();
  while (a.done !== true && b.done !== true) {
    if (compare(a.value, b.value) < 0) {
      yield a.value;
      a = left.next();
    } else {
      yield b.value;
      b = right.next();
    }
  }
  for (; a.done !== true; a = left.next()) yield a.value;
  for (; b.done !== true; b = right.next()) yield b.value;
}

function ordered(
  queue: QueueState,
  state: Exclude<JobState, "ready">,
  key: readonly number[] | null,
): Generator<number, void> {
  const { jobs } = queue;
  const list: SlotList = jobs[state];
  if (key === null) return list.from(() => 1);
  const [moment = 0, since = 0, order = 0] = key;
  const bySince = state === "buried" || state === "done";
  return list.from((slot) => {
    const extra = jobs.extra(slot);
    return (bySince ? 0 : extra.moment - moment) || extra.since - since || extra.order - order;
  });
}
