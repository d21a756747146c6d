/**
 * The jobs of one queue, with an index for each question that is asked often:
 *
 * - `offered`: the jobs that a take may give out, by place. Of a group, only the head of its lane, and only while no member is leased;
 * - `agenda`: the jobs to which something happens by itself, by time;
 * - `buried`: in the order of their burial;
 * - `groups`, `keys`, `takes` (what a take still holds), `counts` by state.
 *
 * A job is moved by `leave`, then changes of its fields, then `enter`: fields by which an index sorts never change in between.
 *
 * Everything here is decided by the calls and their times alone. So the same calls at the same times, run again from the log,
 * give the same queue, however often somebody looked between them.
 */
import {
  type BuryReason,
  type Counters,
  type JobId,
  type JobState,
  type NewJob,
  type RequestId,
} from "@pq/core/backend";
import { UNLIMITED_ATTEMPTS } from "@pq/core/backend";
import { Heap } from "./heap.ts";

/** A job in the store. */
export interface Item {
  readonly job: NewJob;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  state: JobState;
  /** When the state ends by itself: the due time, the end of the lease or of a kept result. */
  until: number | null;
  /** When something happens to the job by itself: the end of its state, or of its TTL. */
  alarm: number;
  /** Grows with every change of state. */
  since: number;
  urgent: boolean;
  returned: boolean;
  /** `null` until the job is ready for the first time. */
  position: number | null;
  attempt: number;
  fence: number;
  lease: number;
  takenBy: RequestId | null;
  buryReason: BuryReason | null;
  lastError: string | null;
  progress: Uint8Array | null;
  result: Uint8Array | null;
}

interface Group {
  readonly lane: Heap<Item>;
  busy: boolean;
  /** The member that is in `offered`. */
  offered: Item | undefined;
}

const byPosition = (a: Item, b: Item): number => (a.position ?? 0) - (b.position ?? 0);

/** Lower comes out sooner. */
export function byPlace(a: Item, b: Item): number {
  if (a.urgent !== b.urgent) return a.urgent ? -1 : 1;
  if (a.urgent) return byPosition(a, b);
  return a.job.priority - b.job.priority || Number(b.returned) - Number(a.returned) || byPosition(a, b);
}

const noCounts = { ready: 0, delayed: 0, leased: 0, buried: 0, done: 0 };
const settlements = { ack: 0, release: 0, requeue: 0, fail: 0, bury: 0 };
const others = {
  put: 0,
  urgent: 0,
  take: 0,
  kick: 0,
  dig: 0,
  delete: 0,
  touch: 0,
  expired: 0,
  leaseExpired: 0,
  duplicate: 0,
};

export class JobQueue {
  readonly items = new Map<JobId, Item>();
  readonly keys = new Map<string, JobId>();
  readonly takes = new Map<RequestId, Set<Item>>();
  readonly buried = new Set<Item>();
  readonly offered = new Heap<Item>(byPlace);
  readonly agenda = new Heap<Item>((a, b) => a.alarm - b.alarm || a.since - b.since);
  readonly counts: Record<JobState, number> = { ...noCounts };
  readonly counters: { -readonly [name in keyof Counters]: number } = { ...settlements, ...others };
  /** The answers of recent calls, oldest first. */
  readonly answers = new Map<RequestId, { readonly at: number; readonly answer: unknown }>();
  paused = false;
  readonly #groups = new Map<string, Group>();
  #last = 0;

  /** The one number from which positions, fences and the order of changes are drawn. Fences so outlive the jobs they were given for. */
  draw(): number {
    return ++this.#last;
  }

  /** How many jobs a take could have now. */
  get available(): number {
    return this.paused ? 0 : this.offered.size;
  }

  enter(item: Item, state: JobState, until: number | null = null): void {
    item.state = state;
    item.until = until;
    item.since = this.draw();
    this.counts[state]++;
    if (state === "buried") this.buried.add(item);
    if (state === "done") this.#freeKey(item);
    this.schedule(item);
    this.#offer(item);
  }

  leave(item: Item): void {
    this.counts[item.state]--;
    this.agenda.delete(item);
    this.buried.delete(item);
    this.#forgetTake(item);
    this.#withdraw(item);
  }

  /** Drop the job for good. */
  remove(item: Item, counter: "delete" | "expired" | null): void {
    this.leave(item);
    this.#freeKey(item);
    this.items.delete(item.job.id);
    if (counter !== null) this.counters[counter]++;
  }

  /** Put the job into the agenda, at the time that its `until` and its TTL say. */
  schedule(item: Item): void {
    const { state, until, expiresAt } = item;
    this.agenda.delete(item);
    const ttl = state === "ready" || state === "delayed" ? (expiresAt ?? Infinity) : Infinity;
    item.alarm = Math.min(until ?? Infinity, ttl);
    if (item.alarm !== Infinity) this.agenda.add(item);
  }

  /** Let happen, one after the other, what was due by `now`. Every call begins with it. */
  catchUp(now: number): void {
    for (let item = this.agenda.first; item !== undefined && item.alarm <= now; item = this.agenda.first) {
      if (item.state === "done") this.remove(item, null);
      else if (item.state === "leased") this.#endLease(item);
      else if (item.expiresAt !== null && item.expiresAt <= item.alarm) this.remove(item, "expired");
      else this.#fallDue(item);
    }
  }

  #fallDue(item: Item): void {
    this.leave(item);
    item.position ??= this.draw();
    this.enter(item, "ready");
  }

  #endLease(item: Item): void {
    this.counters.leaseExpired++;
    if (attemptsAreOver(item)) this.bury(item, "lease-expired");
    else this.giveBack(item, null);
  }

  /** Back to the place that the job had, at once or at `dueAt`. */
  giveBack(item: Item, dueAt: number | null): void {
    this.leave(item);
    item.returned = true;
    this.enter(item, dueAt === null ? "ready" : "delayed", dueAt);
  }

  /** To the end of its priority, and no longer urgent. */
  sendToEnd(item: Item): void {
    this.leave(item);
    item.urgent = false;
    item.returned = false;
    item.position = this.draw();
    this.enter(item, "ready");
  }

  bury(item: Item, reason: BuryReason): void {
    this.leave(item);
    this.counters.bury++;
    item.buryReason = reason;
    this.enter(item, "buried");
  }

  #freeKey({ job: { key, id } }: Item): void {
    if (key !== null && this.keys.get(key) === id) this.keys.delete(key);
  }

  #forgetTake(item: Item): void {
    if (item.takenBy === null) return;
    const held = this.takes.get(item.takenBy);
    held?.delete(item);
    if (held?.size === 0) this.takes.delete(item.takenBy);
    item.takenBy = null;
  }

  #offer(item: Item): void {
    const { group: name } = item.job;
    if (name !== null) this.#inGroup(name, (group) => enterGroup(group, item));
    else if (item.state === "ready") this.offered.add(item);
  }

  #withdraw(item: Item): void {
    const { group: name } = item.job;
    if (name !== null) this.#inGroup(name, (group) => leaveGroup(group, item));
    else this.offered.delete(item);
  }

  /** Change a group, then offer its head if that can be delivered now. */
  #inGroup(name: string, change: (group: Group) => void): void {
    const group = this.#groups.get(name) ?? { lane: new Heap(byPosition), busy: false, offered: undefined };
    this.#groups.set(name, group);
    change(group);
    const head = group.lane.first;
    const next = head?.state === "ready" && !group.busy ? head : undefined;
    if (next !== group.offered) {
      if (group.offered !== undefined) this.offered.delete(group.offered);
      if (next !== undefined) this.offered.add(next);
      group.offered = next;
    }
    if (head === undefined && !group.busy) this.#groups.delete(name);
  }
}

function enterGroup(group: Group, item: Item): void {
  if (item.state === "leased") group.busy = true;
  else if (item.position !== null && (item.state === "ready" || item.state === "delayed")) group.lane.add(item);
}

function leaveGroup(group: Group, item: Item): void {
  if (item.state === "leased") group.busy = false;
  group.lane.delete(item);
}

export const attemptsAreOver = ({ attempt, job: { maxAttempts } }: Item): boolean =>
  maxAttempts !== UNLIMITED_ATTEMPTS && attempt >= maxAttempts;
