/**
 * The lanes of groups. The members that have a place (ready, or delayed after a delivery) stand in the lane in the
 * order of their positions. Of a group at most one job is exposed, that is, among the jobs that a take gives out: the head of the
 * lane, if it is ready and no member is leased. All other ready members are held back.
 *
 * `enter`, `leave` and `leased` note what happened to a member; `settle` then makes the exposed job the right one.
 */
import { type JobTable, READY } from "./job-table.ts";
import { type Compare, SlotList } from "./slot-list.ts";

interface Group {
  readonly lane: SlotList;
  leased: number;
  /** The slot that is exposed, or -1. */
  exposed: number;
}

/** The two lists of ready jobs: those that a take gives out, and those that wait for their group. */
export interface ReadyLists {
  readonly ready: SlotList;
  readonly held: SlotList;
}

/** All groups of a queue. */
export class Groups {
  readonly #groups = new Map<string, Group>();
  readonly #table: JobTable;
  readonly #lists: ReadyLists;
  readonly #comparePositions: Compare;

  constructor(table: JobTable, lists: ReadyLists, comparePositions: Compare) {
    this.#table = table;
    this.#lists = lists;
    this.#comparePositions = comparePositions;
  }

  /** A member got a place in the lane; when it is ready, it is held back until `settle`. */
  enter(name: string, slot: number): void {
    this.#group(name).lane.add(slot);
    if (this.#table.state(slot) === READY) this.#lists.held.add(slot);
  }

  /** A member leaves the lane, and the list of ready jobs that it is in. */
  leave(name: string, slot: number): void {
    const group = this.#group(name);
    group.lane.remove(slot);
    if (this.#table.state(slot) !== READY) return;
    if (group.exposed !== slot) {
      this.#lists.held.remove(slot);
      return;
    }
    this.#lists.ready.remove(slot);
    group.exposed = -1;
  }

  /** A member was leased (1), or its lease is over (-1). */
  leased(name: string, change: 1 | -1): void {
    this.#group(name).leased += change;
  }

  /** Expose the job that may be delivered now, and no other. */
  settle(name: string): void {
    const group = this.#group(name);
    const head = group.leased > 0 ? -1 : group.lane.first();
    const right = head >= 0 && this.#table.state(head) === READY ? head : -1;
    if (right !== group.exposed) {
      if (group.exposed >= 0) move(group.exposed, this.#lists.ready, this.#lists.held);
      if (right >= 0) move(right, this.#lists.held, this.#lists.ready);
      group.exposed = right;
    }
    if (group.lane.size === 0 && group.leased === 0) this.#groups.delete(name);
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { lane: new SlotList(this.#comparePositions), leased: 0, exposed: -1 };
      this.#groups.set(name, group);
    }
    return group;
  }
}

function move(slot: number, from: SlotList, to: SlotList): void {
  from.remove(slot);
  to.add(slot);
}
