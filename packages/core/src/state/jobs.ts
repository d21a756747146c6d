/**
 * The jobs of one queue and every index over them. The rule for changing a job: `detach` it (it leaves all lists), change
 * it, `attach` it (it enters the lists of what it is now). The order is the one in core's docs/design.md:
 *
 * - A position is a time and a sequence number: when the job became ready first. That time is known at the put also for a
 *   delayed job, so bringing it in late changes no order.
 * - Urgent jobs are compared the other way round, by position alone, before all others.
 *
 * **No order depends on slots**, which are not the same in a store that was opened anew. Each logged change and each position has a number
 * that no other has (`QueueState.order`), so of two jobs neither (time, sequence) nor (since, order) are equal,
 * and a comparison never gets as far as `a - b`, except for a slot with itself.
 */
import { Extra } from "./extra.ts";
import { Groups } from "./groups.ts";
import type { JobFacts, MovedState } from "./job-facts.ts";
import { IdIndex } from "./id-index.ts";
import {
  BURIED,
  DELAYED,
  DONE,
  EXTRA,
  JobTable,
  LEASED,
  PENDING,
  PLACED,
  READY,
  RETURNED,
  URGENT,
} from "./job-table.ts";
import { type Compare, SlotList } from "./slot-list.ts";
import { Takes } from "./takes.ts";
import { Usage } from "./usage.ts";

/** Stands for the extra of a job that has none. */
export const NO_EXTRA: Readonly<Extra> = Object.freeze(new Extra());

/** The place of a waiting job, as far as it is compared. */
export interface Place {
  readonly urgent: boolean;
  readonly priority: number;
  readonly returned: boolean;
  readonly time: number;
  readonly sequence: number;
}

/** Compare two places. Sequence numbers wrap around. */
export function comparePlaces(a: Place, b: Place): number {
  if (a.urgent !== b.urgent) return a.urgent ? -1 : 1;
  const position = a.time - b.time || (a.sequence - b.sequence) | 0;
  if (a.urgent) return -position;
  return a.priority - b.priority || Number(b.returned) - Number(a.returned) || position;
}

/** The jobs of one queue, by every order in which they are asked for. */
export class Jobs {
  readonly table: JobTable = new JobTable();
  readonly usage: Usage = new Usage();
  readonly keys: Map<string, number> = new Map<string, number>();
  readonly takes: Takes = new Takes();
  /** Ready jobs that a take gives out, and ready jobs that wait for their group; by place. */
  readonly ready: SlotList;
  readonly held: SlotList;
  /** By moment, then by since when. */
  readonly delayed: SlotList;
  readonly leased: SlotList;
  /** By since when. */
  readonly buried: SlotList;
  readonly done: SlotList;
  /** Ready, delayed and done jobs that end by themselves, by when. */
  readonly ends: SlotList;
  /** Jobs whose puts are not on disk yet. */
  pending = 0;
  readonly #ids: IdIndex;
  readonly #extras = new Map<number, Extra>();
  readonly #groups: Groups;
  readonly #allUsage: Usage;

  constructor(allUsage: Usage) {
    this.#allUsage = allUsage;
    this.#ids = new IdIndex(this.table);
    const byPlace: Compare = (a, b) => this.#comparePlaces(a, b);
    const byMoment: Compare = (a, b) => this.#compareMoments(a, b);
    const bySince: Compare = (a, b) => this.#compareSince(this.extra(a), this.extra(b)) || a - b;
    this.ready = new SlotList(byPlace);
    this.held = new SlotList(byPlace);
    this.delayed = new SlotList(byMoment);
    this.leased = new SlotList(byMoment);
    this.buried = new SlotList(bySince);
    this.done = new SlotList(bySince);
    this.ends = new SlotList((a, b) => (this.endOf(a) ?? 0) - (this.endOf(b) ?? 0) || this.#compareTimes(a, b));
    this.#groups = new Groups(this.table, this, (a, b) => this.#comparePositions(a, b));
  }

  /** Ready, delayed and leased jobs, with those on their way. */
  get size(): number {
    return this.ready.size + this.held.size + this.delayed.size + this.leased.size + this.pending;
  }

  /** The slot of this id, pending or not; -1: none. */
  find(words: Int32Array): number {
    return this.#ids.find(words);
  }

  /** A new PENDING job. */
  create(words: Int32Array): number {
    const slot = this.table.allocate();
    this.table.setId(slot, words);
    this.#ids.add(slot);
    this.pending++;
    return slot;
  }

  /** The extra of a job that has one. */
  extra(slot: number): Extra {
    const extra = this.#extras.get(slot);
    if (extra === undefined) throw new Error("a job lacks its extra");
    return extra;
  }

  /** The extra, if there is one. */
  extraIfAny(slot: number): Extra | undefined {
    return this.table.has(slot, EXTRA) ? this.#extras.get(slot) : undefined;
  }

  /** The extra, made if need be. */
  needExtra(slot: number): Extra {
    let extra = this.extraIfAny(slot);
    if (extra === undefined) {
      extra = new Extra();
      this.#extras.set(slot, extra);
      this.table.setFlag(slot, EXTRA, true);
    }
    return extra;
  }

  /** When the job ends by itself as it is now, or `null`. */
  endOf(slot: number): number | null {
    const extra = this.extraIfAny(slot);
    if (extra === undefined) return null;
    switch (this.table.state(slot)) {
      case READY:
      case DELAYED:
        return extra.expiresAt;
      case DONE:
        return extra.moment;
      default:
        return null;
    }
  }

  /** Enter the lists of the state that it is in. */
  attach(slot: number): void {
    const extra = this.extraIfAny(slot);
    this.#enter(slot, extra);
    if (extra !== undefined) {
      if (this.endOf(slot) !== null) this.ends.add(slot);
      if (extra.group !== null) this.#groups.settle(extra.group);
    }
  }

  /** Leave all lists. A change of a group's exposed job waits for `attach` or `forget`. */
  detach(slot: number): void {
    const extra = this.extraIfAny(slot);
    if (extra !== undefined && this.endOf(slot) !== null) this.ends.remove(slot);
    const { group, leasedBy } = extra ?? NO_EXTRA;
    switch (this.table.state(slot)) {
      case PENDING:
        this.pending--;
        break;
      case READY:
        if (group === null) this.ready.remove(slot);
        else this.#groups.leave(group, slot);
        break;
      case DELAYED:
        this.delayed.remove(slot);
        if (group !== null && this.table.has(slot, PLACED)) this.#groups.leave(group, slot);
        break;
      case LEASED:
        this.leased.remove(slot);
        if (leasedBy !== null) this.takes.remove(leasedBy, slot);
        if (group !== null) this.#groups.leased(group, -1);
        break;
      case BURIED:
        this.buried.remove(slot);
        break;
      case DONE:
        this.done.remove(slot);
        break;
    }
  }

  /** Remove a job that is detached. */
  forget(slot: number): void {
    const extra = this.extraIfAny(slot);
    if (extra !== undefined) {
      this.releaseKey(slot, extra);
      this.#extras.delete(slot);
      if (extra.group !== null) this.#groups.settle(extra.group);
    }
    this.#count(slot, -1);
    this.#ids.remove(slot);
    this.table.release(slot);
  }

  /** The job no longer holds its key. */
  releaseKey(slot: number, { key }: Extra): void {
    if (key !== null && this.keys.get(key) === slot) this.keys.delete(key);
  }

  /** Note where the job's record stands now: in which piece of the store, where in it, and its bytes; each below 2^32. */
  locate(slot: number, piece: number, offset: number, size: number): void {
    this.#count(slot, -1);
    this.table.setLocation(slot, piece, offset, size);
    this.#count(slot, 1);
  }

  /** The place of a waiting job. */
  place(slot: number): Place {
    const { table } = this;
    return {
      urgent: table.has(slot, URGENT),
      priority: table.priority(slot),
      returned: table.has(slot, RETURNED),
      time: table.time(slot),
      sequence: table.sequence(slot),
    };
  }

  /** What a record has to say of the job so that nothing before it is needed. */
  snapshot(slot: number): Pick<JobFacts, "time" | "sequence"> & { readonly moved: MovedState } {
    const { table } = this;
    const moved: MovedState = {
      state: table.state(slot),
      flags: table.flags(slot),
      attempt: table.attempt(slot),
      extra: this.extraIfAny(slot) ?? NO_EXTRA,
    };
    return { time: table.time(slot), sequence: table.sequence(slot), moved };
  }

  #count(slot: number, sign: 1 | -1): void {
    const size = this.table.size(slot);
    if (size === 0) return;
    this.usage.add(this.table.piece(slot), sign * size);
    this.#allUsage.add(this.table.piece(slot), sign * size);
  }

  #enter(slot: number, extra: Extra | undefined): void {
    const { group, leasedBy } = extra ?? NO_EXTRA;
    switch (this.table.state(slot)) {
      case PENDING:
        this.pending++;
        break;
      case READY:
        if (group === null) this.ready.add(slot);
        else this.#groups.enter(group, slot);
        break;
      case DELAYED:
        this.delayed.add(slot);
        if (group !== null && this.table.has(slot, PLACED)) this.#groups.enter(group, slot);
        break;
      case LEASED:
        this.leased.add(slot);
        if (leasedBy !== null) this.takes.add(leasedBy, slot);
        if (group !== null) this.#groups.leased(group, 1);
        break;
      case BURIED:
        this.buried.add(slot);
        break;
      case DONE:
        this.done.add(slot);
        break;
    }
  }

  #comparePlaces(a: number, b: number): number {
    const { table } = this;
    const waiting = URGENT | RETURNED;
    const flagsA = table.flags(a) & waiting;
    const flagsB = table.flags(b) & waiting;
    if (((flagsA | flagsB) & URGENT) === 0) {
      return table.priority(a) - table.priority(b) || flagsB - flagsA || this.#compareTimes(a, b);
    }
    return this.#comparePositions(a, b);
  }

  #comparePositions(a: number, b: number): number {
    const urgentA = this.table.has(a, URGENT);
    if (urgentA !== this.table.has(b, URGENT)) return urgentA ? -1 : 1;
    return urgentA ? this.#compareTimes(b, a) : this.#compareTimes(a, b);
  }

  #compareTimes(a: number, b: number): number {
    const { table } = this;
    return table.time(a) - table.time(b) || (table.sequence(a) - table.sequence(b)) | 0 || a - b;
  }

  #compareMoments(a: number, b: number): number {
    const extraA = this.extra(a);
    const extraB = this.extra(b);
    return extraA.moment - extraB.moment || this.#compareSince(extraA, extraB) || a - b;
  }

  #compareSince(a: Extra, b: Extra): number {
    return a.since - b.since || a.order - b.order;
  }
}
