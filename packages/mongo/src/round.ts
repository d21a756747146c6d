/** One try to work off some takes and changes. */
import type { Filter } from "mongodb";
import type { DeliveredJob, JobId, RequestId, TakeParams } from "@pq/core/backend";
import { Attachments, type Contents, type Located, readContents } from "./bodies.ts";
import type { Call } from "./call.ts";
import { applyOnce, type Change } from "./changes.ts";
import { rearm } from "./groups.ts";
import { draw, readHead, stampsOf } from "./head.ts";
import { delivered } from "./job-views.ts";
import { idName } from "./names.ts";
import { Offer } from "./offer.ts";
import type { Outcome } from "./page/codec.ts";
import { catchUp, confirm, deliver, type Means, setAside } from "./page/life.ts";
import { findJob, isDeliverable, LAST_TIME, type Page } from "./page/page.ts";
import type { PageCache } from "./page-cache.ts";
import type { Glimpse, Seen } from "./pages.ts";
import type { QueueParts } from "./parts.ts";
import type { PageDocument } from "./schema.ts";

/** Pages that are looked at for all takes of a round. */
const MOST_GLIMPSED = 512;
/** Pages that they change at most; fewer while others are at them. */
const MOST_TAKEN_FROM = 256;

/** A call in a round. */
interface Pending<Work, Answer> {
  readonly work: Work;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}
/** A take in a round. */
export type PendingTake = Pending<TakeParams, readonly DeliveredJob[]>;
/** A change in a round. */
export type PendingChange = Pending<Change<unknown>, unknown>;

/** What a round works on. */
export interface Works {
  readonly takes: readonly PendingTake[];
  readonly changes: readonly PendingChange[];
}

/** What is shared by the tries of a round. */
export interface RoundParts {
  readonly queue: QueueParts;
  readonly call: Call;
  readonly cache: PageCache;
  /** A take chooses among so many pages. */
  readonly width: number;
  /** It is the first try. */
  readonly first: boolean;
}

/** One try. */
export class Round {
  readonly #parts: RoundParts;
  readonly #call: Call;
  readonly #seen = new Map<string, Seen>();
  /** Pages to which time has done something that is not written yet. */
  readonly #late = new Set<Page>();
  /** The pages that know the ids of changes. */
  readonly #whereabouts = new Map<JobId, Page[]>();
  readonly #attachments = new Attachments();

  constructor(parts: RoundParts) {
    this.#parts = parts;
    this.#call = parts.call;
  }

  /** Work off these calls and answer them. What is left is to be tried again; `lost`: since somebody else changed a page. */
  async run({ takes, changes }: Works): Promise<Works & { readonly lost: boolean }> {
    const guard = takes.length === 0 ? this.#seeCached(changes) : undefined;
    const [offer, paused] = guard === undefined ? await this.#read(takes, changes) : [undefined, true];
    const undone = this.#parts.first && takes.length > 0 ? this.#pages().filter(({ todo }) => todo.size > 0) : [];
    if (undone.length > 0) return { takes, changes, lost: !(await this.#lookAfter(undone)) };
    this.#locate(changes);
    const outcomes = await this.#change(changes);
    const deliveries = offer === undefined ? [] : await this.#deliver(takes, offer, paused);
    await this.#attachments.store(this.#call);
    const changed = this.#pages().filter((page) => page.changed);
    // What time alone has done is done by everybody who comes by: who is quicker does not matter.
    const late = [...this.#late].filter((page) => !page.changed);
    const { pages } = this.#parts.queue;
    const [won, contents, tidied] = await Promise.all([
      pages.write(this.#call, changed, guard),
      readContents(this.#call, deliveries.flat()),
      pages.write(this.#call, late),
    ]);
    if (!won) return { takes, changes, lost: true };
    const armed = await this.#settleDown(tidied ? [...changed, ...late] : changed);
    if (armed || (changes.length > 0 && changed.some(hasDeliverable))) this.#parts.queue.freed();
    changes.forEach(({ work, resolve }, index) => resolve(this.#answer(work, outcomes[index]!)));
    const answers = await this.#answers(deliveries, contents);
    // Worth another look: a job has just got its turn, or there were more pages than were read.
    const again = !paused && (armed || offer?.more === true);
    const left = takes.filter((take, index) => {
      const answer = answers[index]!;
      if (answer.length === 0 && again) return true;
      take.resolve(answer);
      return false;
    });
    return { takes: left, changes: [], lost: false };
  }

  #pages(): Page[] {
    return [...this.#seen.values()].map(({ page }) => page);
  }

  // ---- reading ----------------------------------------------------------------------------------------------------

  /**
   * Acks alone, of jobs on cached pages, need no reading: if nobody changed the page, all that matters is that no lease of them has ended.
   * That is what is returned, as a condition of the write.
   */
  #seeCached(changes: readonly PendingChange[]): Filter<PageDocument> | undefined {
    const pages = new Set<Page>();
    let until = LAST_TIME;
    for (const { work } of changes) {
      for (const [index, id] of work.ids.entries()) {
        const page = this.#parts.cache.pageOf(id);
        if (page === undefined || !work.isPlainAck(page, index)) return undefined;
        pages.add(page);
        until = Math.min(until, findJob(page, id)!.until!);
      }
    }
    const { now } = this.#parts.queue.time;
    for (const page of pages) this.#see(this.#checkOut(page, now));
    return { $expr: { $lt: ["$$NOW", new Date(until)] } };
  }

  async #read(
    takes: readonly PendingTake[],
    changes: readonly PendingChange[],
  ): Promise<readonly [Offer | undefined, boolean]> {
    const [candidates, paused] = (await Promise.all([this.#readForTakes(takes), this.#readForChanges(changes)]))[0];
    if (candidates === undefined) return [undefined, paused];
    return [new Offer(candidates, MOST_GLIMPSED, this.#pages()), paused];
  }

  async #readForTakes(takes: readonly PendingTake[]): Promise<readonly [Glimpse[] | undefined, boolean]> {
    if (takes.length === 0) return [undefined, true];
    const { queue, pages, time } = this.#parts.queue;
    const requests = takes.map(({ work }) => work.request);
    const [head, before, due, candidates] = await Promise.all([
      readHead(this.#call, queue),
      pages.read(this.#call, { takes: { $in: requests } }),
      pages.due(this.#call, time),
      pages.glimpse(this.#call, { next: { $exists: true } }, { sort: { next: 1 }, limit: MOST_GLIMPSED }),
    ]);
    for (const seen of [...before, ...due]) this.#see(seen);
    return [candidates, head?.paused ?? false];
  }

  async #readForChanges(changes: readonly PendingChange[]): Promise<void> {
    const { cache, queue } = this.#parts;
    const ids = changes.flatMap(({ work }) => work.ids);
    const cached = new Set(ids.map((id) => cache.pageOf(id)?.id).filter((id) => id !== undefined));
    const unknown = ids.filter((id) => cache.pageOf(id) === undefined);
    const [glimpses, found] = await Promise.all([
      cached.size === 0 ? [] : queue.pages.glimpse(this.#call, { _id: { $in: [...cached] } }),
      unknown.length === 0 ? [] : queue.pages.read(this.#call, { names: { $in: unknown.map(idName) } }),
    ]);
    for (const seen of found) this.#see(seen);
    await this.#load(glimpses);
  }

  /** Read these pages, but for those that are cached and were not changed since. */
  async #load(glimpses: readonly Glimpse[]): Promise<Seen[]> {
    const { cache, queue } = this.#parts;
    const loaded: Seen[] = [];
    const missing: string[] = [];
    for (const { _id, v, now } of glimpses) {
      if (this.#seen.has(_id)) continue;
      const page = cache.get(_id);
      if (page?.version === v) loaded.push(this.#checkOut(page, now.getTime()));
      else missing.push(_id);
    }
    if (missing.length > 0) loaded.push(...(await queue.pages.read(this.#call, { _id: { $in: missing } })));
    return loaded.map((seen) => this.#see(seen));
  }

  /** Take a page out of the cache, since it is going to be changed. */
  #checkOut(page: Page, now: number): Seen {
    this.#parts.cache.delete(page.id);
    catchUp(page, now);
    return { page, now };
  }

  /** Pages may be found in several ways. Those that are pending are not to be seen. */
  #see(seen: Seen): Seen {
    if (seen.page.pending) return seen;
    const known = this.#seen.get(seen.page.id);
    if (known !== undefined) return known;
    this.#parts.queue.time.saw(seen.now);
    this.#seen.set(seen.page.id, seen);
    if (seen.page.changed) this.#late.add(seen.page);
    seen.page.changed = false;
    return seen;
  }

  // ---- deciding ---------------------------------------------------------------------------------------------------

  #locate(changes: readonly PendingChange[]): void {
    for (const { work } of changes) for (const id of work.ids) this.#whereabouts.set(id, []);
    if (changes.length === 0) return;
    for (const page of this.#pages()) for (const { id } of page.jobs) this.#whereabouts.get(id)?.push(page);
  }

  async #change(changes: readonly PendingChange[]): Promise<(Outcome | undefined)[][]> {
    const stamp = await this.#stamps(changes);
    const meansFor = ({ id }: Page): Means => {
      const { now } = this.#seen.get(id)!;
      return { now, stamp, attach: (page, bytes) => this.#attachments.add(page, bytes, now) };
    };
    return changes.map(({ work }) =>
      work.ids.map((id, index) => applyOnce(work, index, this.#whereabouts.get(id)!, meansFor)),
    );
  }

  async #stamps(changes: readonly PendingChange[]): Promise<Means["stamp"]> {
    const needed = changes.some(({ work }) =>
      work.ids.some((id, index) => this.#whereabouts.get(id)!.some((page) => work.drawsStamp(page, index))),
    );
    const { queue, time } = this.#parts.queue;
    return needed ? stampsOf(await draw(this.#call, queue, time)) : noStamp;
  }

  #answer(work: Change<unknown>, outcomes: readonly (Outcome | undefined)[]): unknown {
    const found = work.ids.map((id) => this.#whereabouts.get(id)!.some((page) => findJob(page, id)!.state !== "gone"));
    return work.answer(outcomes, found);
  }

  /** The jobs that each take gets. */
  async #deliver(takes: readonly PendingTake[], offer: Offer, paused: boolean): Promise<Located[][]> {
    const before = this.#deliveredBefore(takes);
    const isNew = ({ work }: PendingTake): boolean => !paused && before.get(work.request)!.length === 0;
    const count = takes.filter(isNew).reduce((sum, { work }) => sum + work.limit, 0);
    const { width } = this.#parts;
    offer.spread(width, count);
    for (let most = Math.ceil(MOST_TAKEN_FROM / width); most > 0;) {
      const needed = offer.needed(count, most);
      if (needed.length === 0) break;
      most -= needed.length;
      for (const { page } of await this.#load(needed)) offer.add(page);
    }
    const jobs = [...offer.first(count)];
    return takes.map((take) => {
      if (!isNew(take)) return before.get(take.work.request)!;
      const given = jobs.splice(0, take.work.limit);
      given.forEach(({ page, job }, turn) => {
        deliver(page, job, { ...take.work, turn, now: this.#seen.get(page.id)!.now });
      });
      return given;
    });
  }

  /** The jobs that these takes have leased already, by their requests. */
  #deliveredBefore(takes: readonly PendingTake[]): ReadonlyMap<RequestId, Located[]> {
    const before = new Map<RequestId, Located[]>(takes.map(({ work }) => [work.request, []]));
    for (const page of this.#pages()) {
      for (const job of page.jobs) if (job.takenBy !== null) before.get(job.takenBy)?.push({ page, job });
    }
    for (const jobs of before.values()) {
      jobs.sort((a, b) => a.job.turn - b.job.turn);
      for (const { page } of jobs) confirm(page);
    }
    return before;
  }

  // ---- afterwards -------------------------------------------------------------------------------------------------

  /** What time has done to groups, or a call that was broken off, may change who is next: it comes before anything is given out. */
  async #lookAfter(pages: readonly Page[]): Promise<boolean> {
    const { queue } = this.#parts;
    const late = pages.filter((page) => this.#late.has(page));
    if (!(await queue.pages.write(this.#call, late))) return false;
    await rearm(this.#call, queue, pages);
    return true;
  }

  /** Look after the groups of pages that were written. Tells whether a job got its turn. */
  async #settleDown(written: readonly Page[]): Promise<boolean> {
    const { cache, queue } = this.#parts;
    const asStored = new Set([...this.#pages().filter((page) => !this.#late.has(page)), ...written]);
    for (const page of asStored) if (page.todo.size === 0) cache.set(page);
    const todo = written.filter((page) => page.todo.size > 0);
    return todo.length > 0 && rearm(this.#call, queue, todo);
  }

  async #answers(
    deliveries: readonly (readonly Located[])[],
    contents: readonly (Contents | undefined)[],
  ): Promise<DeliveredJob[][]> {
    let next = 0;
    const damaged: Located[] = [];
    const answers = deliveries.map((located) =>
      located.flatMap((each) => {
        const found = contents[next++];
        if (found !== undefined) return [delivered(each, found)];
        damaged.push(each);
        return [];
      }),
    );
    await this.#putAside(damaged);
    return answers;
  }

  /** Jobs whose payload is missing or damaged. When somebody else changes their page meanwhile, the next one who takes them sees to it. */
  async #putAside(damaged: readonly Located[]): Promise<void> {
    if (damaged.length === 0) return;
    const { cache, queue } = this.#parts;
    for (const { page, job } of damaged) {
      cache.delete(page.id);
      setAside(page, job);
      const message = `job ${job.id} could not be read and was put aside: its bytes are in the collection of bodies`;
      queue.report({ type: "damage", queue: queue.queue, where: `${page.id}/${job.index}`, message });
    }
    await queue.pages.write(this.#call, [...new Set(damaged.map(({ page }) => page))]);
  }
}

function hasDeliverable({ jobs }: Page): boolean {
  return jobs.some(isDeliverable);
}

function noStamp(): never {
  throw new Error("a change drew a stamp that was not announced");
}
