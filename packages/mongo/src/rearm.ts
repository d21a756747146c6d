/** One round of giving turns in groups: `groups.ts` says why its steps stand in this order. */
import type { AnyBulkWriteOperation } from "mongodb";
import type { Located } from "./bodies.ts";
import type { Call } from "./call.ts";
import { enter, findHeads, firstMembers, isMember, mendLanes } from "./lanes.ts";
import type { PageJob } from "./page/job.ts";
import { arm } from "./page/life.ts";
import type { Page } from "./page/page.ts";
import { comparePositions } from "./page/place.ts";
import type { QueueParts } from "./parts.ts";
import type { LaneDocument } from "./schema.ts";
import { type Move, moveTurns, readTurns, type Turn, type Turns } from "./turns.ts";

/** Groups of one round: what was done must be written before a slow call is out of time. */
const MOST_GROUPS = 200;

/** What is to be done in a group. */
interface Plan extends Move {
  /** A member that has the turn and is not the head: it loses it first. */
  readonly demoted: Located | undefined;
}

/** One round. */
export class RearmRound {
  readonly #call: Call;
  readonly #parts: QueueParts;
  /** Pages with groups to look after. */
  readonly #given: Map<string, Page>;
  /** The groups of each that are looked after in this round. */
  readonly #todo: ReadonlyMap<Page, ReadonlySet<string>>;
  /** Pages that were read in this round, or found to be still as they are given. */
  readonly #seen = new Map<string, Page>();
  /** Groups in which all is as it should be. */
  readonly #settled = new Set<string>();
  readonly #plans: Plan[] = [];
  #armed = false;

  /** `given`: pages as they were read. What is done is taken off, and what comes up is put on. */
  constructor(call: Call, parts: QueueParts, given: Map<string, Page>) {
    this.#call = call;
    this.#parts = parts;
    this.#given = given;
    this.#todo = someOf([...given.values()]);
  }

  /** May a job have got its turn? */
  get armed(): boolean {
    return this.#armed;
  }

  /** `false`: somebody else has changed something meanwhile, so all that is given must be read again. */
  async run(): Promise<boolean> {
    const lateGiven = lateOf(this.#given);
    if (lateGiven.length > 0) return this.#adopt(lateGiven);
    const groups = new Set([...this.#todo.values()].flatMap((names) => [...names]));
    const [turns] = await Promise.all([
      readTurns(this.#call, this.#parts.queue, groups),
      enter(this.#call, this.#todo),
    ]);
    const holders = await this.#read(this.#unknownHolders(turns));
    if (holders === undefined) return false;
    const lateHolders = lateOf(holders);
    if (lateHolders.length > 0) return this.#adopt(lateHolders);
    const mend = await this.#plan(groups, turns);
    if (mend === undefined || !(await this.#demote())) return false;
    const [moved] = await Promise.all([
      moveTurns(this.#call, this.#parts.queue, this.#plans),
      mendLanes(this.#call, mend),
    ]);
    return (await this.#arm(moved)) && moved.size === this.#plans.length;
  }

  // ---- reading ----------------------------------------------------------------------------------------------------

  /** The pages of those whose turn it is, unless they are known to be gone for ever. */
  #unknownHolders(turns: Turns): string[] {
    const unknown = [...turns.values()].filter((turn) => !isOver(this.#given.get(turn.page), turn.index));
    return unknown.map(({ page }) => page);
  }

  /** Pages as they are now; `undefined`: one that is given has changed. */
  async #read(ids: readonly string[]): Promise<ReadonlyMap<string, Page> | undefined> {
    const found = new Map<string, Page>();
    if (ids.length === 0) return found;
    for (const { page } of await this.#parts.pages.read(this.#call, { _id: { $in: [...new Set(ids)] } })) {
      const known = this.#seen.get(page.id) ?? this.#given.get(page.id) ?? page;
      if (known.version !== page.version) return undefined;
      this.#seen.set(page.id, known);
      found.set(page.id, known);
    }
    return found;
  }

  // ---- deciding ---------------------------------------------------------------------------------------------------

  /** What mends the lanes; `undefined`: something has changed. */
  async #plan(
    groups: ReadonlySet<string>,
    turns: Turns,
  ): Promise<readonly AnyBulkWriteOperation<LaneDocument>[] | undefined> {
    const firsts = this.#firsts();
    const open: string[] = [];
    for (const group of groups) {
      const turn = turns.get(group);
      const first = firsts.get(group);
      const holder = this.#holder(turn);
      if (turn === undefined) this.#decide({ group, from: turn, to: first, demoted: undefined });
      else if (holder?.job.armed !== true) open.push(group);
      else if (holder.job.state === "ready" && first !== undefined && comparePositions(first.job, holder.job) < 0) {
        this.#decide({ group, from: turn, to: first, demoted: holder });
      } else this.#settled.add(group);
    }
    const search = { call: this.#call, queue: this.#parts.queue, read: (ids: readonly string[]) => this.#read(ids) };
    const found = await findHeads(search, open);
    if (found === undefined) return undefined;
    for (const group of open) {
      const from = turns.get(group)!;
      const to = found.heads.get(group);
      const holder = this.#holder(from);
      const isHead = to !== undefined && to.job === holder?.job;
      const demoted = holder !== undefined && !isHead && isMember(holder.job) ? holder : undefined;
      this.#decide({ group, from, to, demoted });
    }
    return found.mend;
  }

  #decide(plan: Plan): void {
    const { from, to } = plan;
    const holder = this.#holder(from);
    const waits = to !== undefined && to.job === holder?.job && to.job.state !== "ready";
    if (waits || (from === undefined && to === undefined)) this.#settled.add(plan.group);
    else this.#plans.push(plan);
  }

  /** The first members on the given pages. */
  #firsts(): ReadonlyMap<string, Located> {
    const firsts = new Map<string, Located>();
    for (const [page, groups] of this.#todo) {
      for (const [group, job] of firstMembers(page, groups)) {
        const before = firsts.get(group);
        if (before === undefined || comparePositions(job, before.job) < 0) firsts.set(group, { page, job });
      }
    }
    return firsts;
  }

  #holder(turn: Turn): Located | undefined {
    if (turn === undefined) return undefined;
    const page = this.#seen.get(turn.page) ?? this.#given.get(turn.page);
    const job = jobAt(page, turn.index);
    return job && { page: page!, job };
  }

  // ---- writing ----------------------------------------------------------------------------------------------------

  /** Write pages in which something came up, which is then to be looked after as well. */
  async #adopt(pages: readonly Page[]): Promise<boolean> {
    if (!(await this.#parts.pages.writeAll(this.#call, pages))) return false;
    for (const page of pages) if (page.todo.size > 0) this.#given.set(page.id, page);
    return true;
  }

  async #demote(): Promise<boolean> {
    const pages = new Set<Page>();
    for (const { group, demoted } of this.#plans) {
      if (demoted === undefined) continue;
      arm(demoted.page, demoted.job, false);
      demoted.page.todo.add(group);
      pages.add(demoted.page);
    }
    return this.#adopt([...pages]);
  }

  /** Arm those whose turn it is now. */
  async #arm(moved: ReadonlySet<string>): Promise<boolean> {
    const ready = new Map<string, Page>();
    for (const { group, to } of this.#plans) {
      if (!moved.has(group)) continue;
      if (to?.job.state !== "ready") {
        this.#settled.add(group);
        continue;
      }
      arm(to.page, to.job, true);
      ready.set(group, to.page);
      this.#armed = true;
    }
    const others = new Set([...ready.values()].filter((page) => !this.#todo.has(page)));
    if (!(await this.#parts.pages.writeAll(this.#call, [...others]))) return false;
    for (const [group, page] of ready) if (others.has(page)) this.#settled.add(group);
    return this.#finish(ready);
  }

  /** What is settled is taken off, and what is armed by the same write. */
  async #finish(ready: ReadonlyMap<string, Page>): Promise<boolean> {
    for (const [page, groups] of this.#todo) {
      for (const group of groups) {
        if (!this.#settled.has(group) && ready.get(group) !== page) continue;
        page.todo.delete(group);
        page.changed = true;
      }
    }
    const changed = [...this.#todo.keys()].filter((page) => page.changed);
    if (!(await this.#parts.pages.writeAll(this.#call, changed))) return false;
    for (const page of changed) if (page.todo.size === 0) this.#given.delete(page.id);
    return true;
  }
}

/** The groups that are looked after first, by the pages that have them in `todo`. */
function someOf(pages: readonly Page[]): ReadonlyMap<Page, ReadonlySet<string>> {
  const some = new Set([...new Set(pages.flatMap(({ todo }) => [...todo]))].slice(0, MOST_GROUPS));
  const todo = pages.map((page) => [page, new Set([...page.todo].filter((group) => some.has(group)))] as const);
  return new Map(todo.filter(([, groups]) => groups.size > 0));
}

/** Those to which time has done something that is not written yet. */
function lateOf(pages: ReadonlyMap<string, Page>): Page[] {
  return [...pages.values()].filter((page) => page.changed);
}

/** The job of this index in its put. */
function jobAt(page: Page | undefined, index: number): PageJob | undefined {
  return page?.jobs.find((job) => job.index === index);
}

/** Is it stored that this job is gone? Then it never has a turn again. */
function isOver(page: Page | undefined, index: number): boolean {
  const state = jobAt(page, index)?.state;
  return state === "gone" || state === "done";
}
