/** One try to work off some takes and changes. */
import type { Filter } from "mongodb";
import type { RequestId } from "@pq/core/backend";
import { Attachments, type Contents, type Located, readContents } from "./bodies.ts";
import type { Call } from "./call.ts";
import { applyOnce } from "./changes.ts";
import { rearm } from "./groups.ts";
import { draw, stampsOf } from "./head.ts";
import { delivered } from "./job-views.ts";
import { Offer } from "./offer.ts";
import type { Outcome } from "./page/codec.ts";
import { confirm, deliver, type Means, setAside } from "./page/life.ts";
import { findJob, isDeliverable, type Page } from "./page/page.ts";
import type { PageCache } from "./page-cache.ts";
import type { QueueParts } from "./parts.ts";
import type { PendingChange, PendingTake, Works } from "./pending.ts";
import { Reading } from "./reading.ts";
import type { PageDocument } from "./schema.ts";

/** Pages that the takes of a round change at most; fewer while others are at them. */
const MOST_TAKEN_FROM = 256;

/** What a try decided about one job of a change. */
interface Decision {
  readonly change: PendingChange;
  readonly index: number;
  readonly outcome: Outcome | undefined;
}

/** What a try decided to give to a take. */
interface Delivery {
  readonly take: PendingTake;
  readonly jobs: readonly Located[];
  /** It had these jobs already. */
  readonly again: boolean;
}

/** What became of the pages, for the answers of takes. */
interface Found {
  /** Of the jobs that were given. */
  readonly contents: ReadonlyMap<Located, Contents | undefined>;
  /** The pages that were not written. */
  readonly lost: ReadonlySet<Page>;
  /** Those among them that perhaps were. */
  readonly unsure: ReadonlySet<Page>;
  /** A take that has nothing is worth another look. */
  readonly again: boolean;
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
    this.#reading = new Reading(parts, works.changes);
  }

  /** Work off the calls and answer them. What is left is to be tried again; `lost`: since somebody else changed a page. */
  async run(): Promise<Works & { readonly lost: boolean }> {
    const { takes, changes } = this.#works;
    const { guard, offer, paused } = await this.#read();
    const undone = this.#parts.first && takes.length > 0 ? this.#reading.pages.filter(({ todo }) => todo.size > 0) : [];
    if (undone.length > 0) return { takes, changes, lost: !(await this.#lookAfter(undone)) };
    const decisions = await this.#decide();
    const deliveries = offer === undefined ? [] : await this.#deliver(offer, paused);
    await this.#attachments.store(this.#call);
    const changed = this.#reading.pages.filter((page) => page.changed);
    // What time alone has done is done by everybody who comes by: who is quicker does not matter.
    const late = this.#reading.pages.filter((page) => !page.changed && this.#reading.isLate(page));
    const { pages } = this.#parts.queue;
    const given = deliveries.flatMap(({ jobs }) => jobs);
    const [{ written, unsure }, contents, tidied] = await Promise.all([
      pages.write(this.#call, changed, guard),
      readContents(this.#call, given),
      pages.write(this.#call, late),
    ]);
    const armed = await this.#settleDown([...written, ...tidied.written]);
    if (armed || (changes.length > 0 && [...written].some(hasDeliverable))) this.#parts.queue.freed();
    const lost = new Set(changed.filter((page) => !written.has(page)));
    const openChanges = this.#answerChanges(decisions, lost);
    // Worth another look: a job has just got its turn, or there were more pages than were read.
    const again = !paused && (armed || offer?.more === true);
    const openTakes = await this.#answerTakes(deliveries, { contents: zip(given, contents), lost, unsure, again });
    return { takes: openTakes, changes: openChanges, lost: lost.size > 0 };
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

  async #decide(): Promise<readonly Decision[]> {
    const { changes } = this.#works;
    const stamp = await this.#stamps();
    const { now } = this.#reading;
    const means: Means = { now, stamp, attach: (page, bytes) => this.#attachments.add(page, bytes, now) };
    return changes.flatMap((change) =>
      change.open.map((index) => {
        const pages = this.#reading.pagesOf(change.work.ids[index]!);
        return { change, index, outcome: applyOnce(change.work, index, pages, means) };
      }),
    );
  }

  async #stamps(): Promise<Means["stamp"]> {
    const needed = this.#works.changes.some(({ work, open }) =>
      open.some((index) => this.#reading.pagesOf(work.ids[index]!).some((page) => work.drawsStamp(page, index))),
    );
    const { queue, time } = this.#parts.queue;
    return needed ? stampsOf(await draw(this.#call, queue, time)) : noStamp;
  }

  /** The jobs that each take gets. */
  async #deliver(offer: Offer, paused: boolean): Promise<readonly Delivery[]> {
    const { takes } = this.#works;
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
    const free = [...offer.first(count)];
    const { now } = this.#reading;
    return takes.map((take) => {
      if (!isNew(take)) return { take, jobs: before.get(take.work.request)!, again: true };
      const jobs = free.splice(0, take.work.limit);
      for (const [turn, { page, job }] of jobs.entries()) deliver(page, job, { ...take.work, turn, now });
      return { take, jobs, again: false };
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
    if (!(await queue.pages.writeAll(this.#call, late))) return false;
    await rearm(this.#call, queue, pages);
    return true;
  }

  /** Look after the groups of pages that were written. Tells whether a job got its turn. */
  async #settleDown(written: readonly Page[]): Promise<boolean> {
    const { cache, queue } = this.#parts;
    const untouched = this.#reading.pages.filter((page) => !page.changed && !this.#reading.isLate(page));
    for (const page of new Set([...untouched, ...written])) if (page.todo.size === 0) cache.set(page);
    const todo = written.filter((page) => page.todo.size > 0);
    return todo.length > 0 && rearm(this.#call, queue, todo);
  }

  /** Answer the changes about which all is decided; gives the others. */
  #answerChanges(decisions: readonly Decision[], lost: ReadonlySet<Page>): PendingChange[] {
    for (const { change, index, outcome } of decisions) {
      const id = change.work.ids[index]!;
      const pages = this.#reading.pagesOf(id);
      if (pages.some((page) => lost.has(page))) continue;
      change.decide(
        index,
        outcome,
        pages.some((page) => findJob(page, id)!.state !== "gone"),
      );
    }
    return this.#works.changes.filter((change) => !change.answer());
  }

  /** Answer the takes that have jobs, or for which there are none; gives the others. */
  async #answerTakes(
    deliveries: readonly Delivery[],
    { contents, lost, unsure, again }: Found,
  ): Promise<PendingTake[]> {
    const open: PendingTake[] = [];
    const damaged: Located[] = [];
    for (const delivery of deliveries) {
      const kept = delivery.jobs.filter(({ page }) => !lost.has(page));
      const readable = kept.filter((each) => contents.get(each) !== undefined);
      damaged.push(...kept.filter((each) => contents.get(each) === undefined));
      const isLost = kept.length < delivery.jobs.length;
      // What it perhaps has it must not leave behind. A take that is repeated gives all that it has.
      const isUnsure = delivery.jobs.some(({ page }) => unsure.has(page));
      if (isUnsure || (isLost && (delivery.again || readable.length === 0))) open.push(delivery.take);
      else if (readable.length === 0 && again) open.push(delivery.take);
      else delivery.take.resolve(readable.map((each) => delivered(each, contents.get(each)!)));
    }
    await this.#putAside(damaged);
    return open;
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

function zip<Key, Value>(keys: readonly Key[], values: readonly Value[]): ReadonlyMap<Key, Value> {
  return new Map(keys.map((key, index) => [key, values[index]!]));
}

function noStamp(): never {
  throw new Error("a change drew a stamp that was not announced");
}
