/** Pages of jobs by state. A cursor is the place of the last job of a page, so paging goes on where it was whatever has changed since. */
import type { JobId, JobState } from "@pq/core/backend";
import { parseWords } from "./ids.ts";
import { comparePlaces, type Place } from "./jobs.ts";
import { isVisible, type QueueState } from "./queue-state.ts";
import type { SlotList } from "./slot-list.ts";

/** One page. */
export interface Page {
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
export function page(queue: QueueState, params: { state: JobState; limit: number; cursor: string | null }): Page {
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

/** Ready jobs in the order of their places: those that may be given out and those that wait for their group, merged. */
function* readyFrom(queue: QueueState, key: readonly number[] | null): Generator<number, void> {
  const { jobs } = queue;
  const [urgent = 0, priority = 0, returned = 0, time = 0, sequence = 0] = key ?? [];
  const after: Place = { urgent: urgent === 1, priority, returned: returned === 1, time, sequence };
  const probe = key === null ? (): number => 1 : (slot: number): number => comparePlaces(jobs.place(slot), after);
  const sources = [jobs.ready.from(probe), jobs.held.from(probe)];
  const heads = sources.map((source) => source.next());
  for (;;) {
    const [a, b] = heads;
    const first = b?.done === true || (a?.done !== true && a !== undefined && b !== undefined && comparePlaces(jobs.place(a.value as number), jobs.place(b.value as number)) < 0) ? 0 : 1;
    const head = heads[first];
    const source = sources[first];
    if (head === undefined || head.done === true || source === undefined) return;
    yield head.value;
    heads[first] = source.next();
  }
}

function ordered(queue: QueueState, state: Exclude<JobState, "ready">, key: readonly number[] | null): Generator<number, void> {
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
