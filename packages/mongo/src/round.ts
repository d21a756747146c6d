/** One try to work off some takes and changes. */
import type { Filter } from "mongodb";
import type { DeliveredJob, RequestId, TakeParams } from "@pq/core/backend";
import { Attachments, type Contents, type Located, readContents } from "./bodies.ts";
import type { Call } from "./call.ts";
import { applyOnce, type Change } from "./changes.ts";
import { rearm } from "./groups.ts";
import { draw, stampsOf } from "./head.ts";
import { delivered } from "./job-views.ts";
import { Offer } from "./offer.ts";
import type { Outcome } from "./page/codec.ts";
import { confirm, deliver, type Means, setAside } from "./page/life.ts";
import { findJob, isDeliverable, type Page } from "./page/page.ts";
import type { PageCache } from "./page-cache.ts";
import type { QueueParts } from "./parts.ts";
import { Reading } from "./reading.ts";
import type { PageDocument } from "./schema.ts";

/** Pages that the takes of a round change at most; fewer while others are at them. */
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
  readonly #works: Works;
  readonly #reading: Reading;
  readonly #attachments = new Attachments();

  constructor(parts: RoundParts, works: Works) {
    this.#parts = parts;
    this.#call = parts.call;
    this.#works = works;
    this.#reading = new Reading(
      parts,
      works.changes.map(({ work }) => work),
    );
  }

  /** Work off the calls and answer them. What is left is to be tried again; `lost`: since somebody else changed a page. */
  async run(): Promise<Works & { readonly lost: boolean }> {
    const { takes, changes } = this.#works;
    const { guard, offer, paused } = await this.#read();
    const undone = this.#parts.first && takes.length > 0 ? this.#reading.pages.filter(({ todo }) => todo.size > 0) : [];
    if (undone.length > 0) return { takes, changes, lost: !(await this.#lookAfter(undone)) };
    const outcomes = await this.#change(changes);
    const deliveries = offer === undefined ? [] : await this.#deliver(takes, offer, paused);
    await this.#attachments.store(this.#call);
    const changed = this.#reading.pages.filter((page) => page.changed);
    // What time alone has done is done by everybody who comes by: who is quicker does not matter.
    const late = this.#reading.pages.filter((page) => !page.changed && this.#reading.isLate(page));
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

  /** Read what these calls need. `guard`: a condition of the write, as nothing was read. `offer`: what takes choose from. */
  async #read(): Promise<{ readonly guard?: Filter<PageDocument>; readonly offer?: Offer; readonly paused: boolean }> {
    const takes = this.#works.takes.map(({ work }) => work);
    if (takes.length > 0) {
      const candidates = this.#reading.forTakes(takes, this.#parts.width);
      const [{ pages, limit, paused }] = await Promise.all([candidates, this.#reading.forChanges()]);
      return { offer: new Offer(pages, limit, this.#reading.pages), paused };
    }
    const guard = this.#reading.cached();
    if (guard !== undefined) return { guard, paused: true };
    await this.#reading.forChanges();
    return { paused: true };
  }

  // ---- deciding ---------------------------------------------------------------------------------------------------

  async #change(changes: readonly PendingChange[]): Promise<(Outcome | undefined)[][]> {
    const stamp = await this.#stamps(changes);
    const { now } = this.#reading;
    const means: Means = { now, stamp, attach: (page, bytes) => this.#attachments.add(page, bytes, now) };
    return changes.map(({ work }) =>
      work.ids.map((id, index) => applyOnce(work, index, this.#reading.pagesOf(id), means)),
    );
  }

  async #stamps(changes: readonly PendingChange[]): Promise<Means["stamp"]> {
    const needed = changes.some(({ work }) =>
      work.ids.some((id, index) => this.#reading.pagesOf(id).some((page) => work.drawsStamp(page, index))),
    );
    const { queue, time } = this.#parts.queue;
    return needed ? stampsOf(await draw(this.#call, queue, time)) : noStamp;
  }

  #answer(work: Change<unknown>, outcomes: readonly (Outcome | undefined)[]): unknown {
    const found = work.ids.map((id) => this.#reading.pagesOf(id).some((page) => findJob(page, id)!.state !== "gone"));
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
      for (const page of await this.#reading.load(needed)) offer.add(page);
    }
    const jobs = [...offer.first(count)];
    const { now } = this.#reading;
    return takes.map((take) => {
      if (!isNew(take)) return before.get(take.work.request)!;
      const given = jobs.splice(0, take.work.limit);
      given.forEach(({ page, job }, turn) => {
        deliver(page, job, { ...take.work, turn, now });
      });
      return given;
    });
  }

  /** The jobs that these takes have leased already, by their requests. */
  #deliveredBefore(takes: readonly PendingTake[]): ReadonlyMap<RequestId, Located[]> {
    const before = new Map<RequestId, Located[]>(takes.map(({ work }) => [work.request, []]));
    for (const page of this.#reading.pages) {
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
    const late = pages.filter((page) => this.#reading.isLate(page));
    if (!(await queue.pages.write(this.#call, late))) return false;
    await rearm(this.#call, queue, pages);
    return true;
  }

  /** Look after the groups of pages that were written. Tells whether a job got its turn. */
  async #settleDown(written: readonly Page[]): Promise<boolean> {
    const { cache, queue } = this.#parts;
    const asStored = new Set([...this.#reading.pages.filter((page) => !this.#reading.isLate(page)), ...written]);
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
