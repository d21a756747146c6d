/**
 * A queue as one process knows it: what the entries of its log, one after the other, have made of it. All processes that have read as far
 * have the same: an entry is applied at the time that the leader gave it, and nothing but the entries counts.
 *
 * That time never goes back here: an entry with an earlier one (the leader's clock was stepped, or another leads now) counts as of the latest.
 */
import type { ControlResult, PutOutcome, QueueStats, RequestId, SettleOutcome } from "@pq/core/backend";
import {
  ADDED, control, countPut, factsOf, LEASED, parseWords, planPut, QueueState, recall, settle, stats, take, touch, Usage,
} from "@pq/core/state"; // prettier-ignore
import type { Command, EntryHead, Member, PutCommand } from "./commands.ts";
import { Line } from "./line.ts";
import { type Page, Pages } from "./pages.ts";
import { deliveredView, type DeliveredView } from "./views.ts";

/** Entries between two looks for pages without jobs, at least; as many as there are pages. */
const PRUNE_EVERY = 1000;

/** What commands answer. */
export interface Results {
  /** `null`: the put that it must come after has not come. */
  readonly put: readonly PutOutcome[] | null;
  readonly take: readonly DeliveredView[];
  readonly settle: readonly SettleOutcome[];
  readonly touch: readonly boolean[];
  readonly control: ControlResult;
  readonly wait: undefined;
  readonly leave: undefined;
  readonly gone: undefined;
  readonly drop: undefined;
}

/** The answer of some command. */
export type Result = Results[keyof Results];

/** An entry that is to be applied. */
export interface AppliedEntry {
  readonly position: number;
  /** When it was created, by the leader's clock. */
  readonly time: number;
  readonly head: EntryHead;
  /** Where its body is. */
  readonly page: Pick<Page, "headLength" | "bodyLength" | "guid">;
}

/** A queue in memory. */
export class Replica {
  readonly queue: QueueState;
  readonly pages: Pages = new Pages();
  readonly line: Line = new Line();
  /** Entries that hold damaged records: they are kept for whoever wants to see them. */
  readonly damaged: Set<number> = new Set<number>();
  /** Which session made a take that holds jobs. */
  readonly takers: Map<RequestId, Member> = new Map<RequestId, Member>();
  readonly #usage = new Usage();
  #prunedAt = 0;
  /** The position of the next entry. */
  position = 0;
  /** The last fence that was given. */
  fence = 0;
  /** Jobs that entries have put, and items that they have settled, since this replica was made. */
  items = 0;

  constructor(name: string) {
    this.queue = new QueueState(name, 0, this.#usage);
  }

  /** Jobs that a take would give out. */
  get deliverable(): number {
    return this.queue.paused ? 0 : this.queue.jobs.ready.size;
  }

  /** Bytes of records in each page. */
  get usage(): Usage {
    return this.#usage;
  }

  /** The next moment at which time changes something; `null`: never. */
  get nextChange(): number | null {
    const { jobs } = this.queue;
    const end = jobs.ends.first();
    const moment = this.queue.nextMoment();
    const ends = end < 0 ? null : jobs.endOf(end);
    if (moment === null || ends === null) return moment ?? ends;
    return Math.min(moment, ends);
  }

  /** Apply the next entry. Returns what its commands answer. */
  apply({ position, time, head, page }: AppliedEntry): Result[] {
    const now = Math.max(time, this.queue.time);
    const before = this.deliverable;
    this.queue.catchUp(now, Infinity);
    const entry = { ...page, position, time: now };
    if (page.guid !== null) this.pages.note(page.guid, position);
    let wakes = 0;
    let offset = 0;
    const results = head.commands.map((command): Result => {
      switch (command.type) {
        case "put": {
          // The records of a put stand in the body whatever becomes of it.
          const start = offset;
          offset += command.jobs.reduce((sum, { size }) => sum + size, 0);
          if (this.#isEarly(command)) return null;
          return this.#once(command.request, command.jobs.length, now, () => this.#put(command, entry, start));
        }
        case "take":
          return this.#take(command, head.member, now);
        case "settle":
          return this.#once(command.request, command.items.length, now, () => settle(this.queue, command.items, now));
        case "touch":
          return this.#once(command.request, command.items.length, now, () => touch(this.queue, command.items, now));
        case "control":
          return this.#once(command.params.request, 1, now, () => control(this.queue, command.params, now));
        case "wait":
          this.line.enter({ member: head.member, ticket: command.ticket });
          return undefined;
        case "leave":
          wakes += this.line.leave({ member: head.member, ticket: command.ticket });
          return undefined;
        case "gone":
          wakes += this.#gone(command.members, now);
          return undefined;
        case "drop":
          this.#drop(command);
          return undefined;
      }
    });
    this.position = position + 1;
    const after = this.deliverable;
    const isNewInLine = head.commands.some(({ type }) => type === "wait");
    // Who gets in line while there are jobs need not wait for more of them.
    this.line.wake(Math.max(after - before, 0, isNewInLine ? after : 0) + Math.min(wakes, after));
    if (position - this.#prunedAt >= Math.max(PRUNE_EVERY, this.pages.size)) this.prune();
    return results;
  }

  /** The answer that a command was given by an entry that was not seen; `undefined`: it is not known. */
  recall(command: Command): Result | undefined {
    switch (command.type) {
      case "put":
      case "settle":
      case "touch":
        return this.queue.answers.find(command.request) as Result | undefined;
      case "control":
        return this.queue.answers.find(command.params.request) as Result | undefined;
      case "take": {
        const slots = this.queue.heldBy(command.request);
        return slots.length === 0 ? undefined : slots.map((slot) => deliveredView(this, slot));
      }
      default:
        return undefined;
    }
  }

  /** The sessions that hold jobs or wait for some. */
  members(): Set<Member> {
    this.#pruneTakers();
    return new Set([...this.takers.values(), ...this.line.members()]);
  }

  stats(): QueueStats {
    return stats(this.queue);
  }

  /** Forget what nothing speaks of any more. */
  prune(): void {
    this.#prunedAt = this.position;
    this.pages.prune(this.#usage);
    this.#pruneTakers();
  }

  #pruneTakers(): void {
    for (const request of this.takers.keys()) if (this.queue.heldBy(request).length === 0) this.takers.delete(request);
  }

  /** Answer a repeated request as the first time. */
  #once<T>(request: RequestId, items: number, now: number, act: () => T): T {
    const known = this.queue.answers.find(request);
    if (known !== undefined) return known as T;
    this.items += items;
    const answer = act();
    this.queue.answers.remember(request, now, items, recall(answer));
    return answer;
  }

  /** Has the put that this one must come after not come? A repetition is answered whatever it must come after. */
  #isEarly({ request, after }: PutCommand): boolean {
    const { answers } = this.queue;
    return after !== null && answers.find(after) === undefined && answers.find(request) === undefined;
  }

  #put(command: PutCommand, entry: Page, start: number): PutOutcome[] {
    const { queue } = this;
    const jobs = command.jobs.map(({ job }) => job);
    const outcomes = planPut(queue, { jobs, maxSize: command.maxSize, partial: command.partial });
    const page = outcomes.includes(ADDED) ? this.pages.add(entry) : 0;
    let offset = start;
    command.jobs.forEach(({ job, size }, index) => {
      if (outcomes[index] === ADDED) {
        const facts = factsOf(queue, job, entry.time);
        const slot = queue.admit(facts);
        queue.jobs.locate(slot, page, offset, size);
        queue.commit(slot, facts.dueAt !== null);
      }
      offset += size;
    });
    countPut(queue, jobs, outcomes);
    return outcomes;
  }

  #take(command: Extract<Command, { type: "take" }>, member: Member, now: number): DeliveredView[] {
    this.line.came(member);
    let slots = this.queue.heldBy(command.request);
    if (slots.length === 0) {
      slots = take(this.queue, command, now, () => ++this.fence);
      // To the end, also where a process has not forgotten an earlier one: `gone` goes through them in their order.
      this.takers.delete(command.request);
      if (slots.length > 0) this.takers.set(command.request, member);
    }
    return slots.map((slot) => deliveredView(this, slot));
  }

  /** What these sessions hold comes back, as though their leases had run out. Returns how many are to be woken in their place. */
  #gone(members: readonly Member[], now: number): number {
    const { queue } = this;
    for (const [request, member] of this.takers) {
      if (!members.includes(member)) continue;
      for (const slot of queue.heldBy(request)) this.#endLease(slot, now);
      this.takers.delete(request);
    }
    return members.reduce((sum, member) => sum + this.line.gone(member), 0);
  }

  #endLease(slot: number, now: number): void {
    const { queue } = this;
    const attempt = queue.jobs.table.attempt(slot);
    const since = { time: now, order: ++queue.order };
    queue.counters.leaseExpired++;
    if (attempt >= queue.jobs.extra(slot).maxAttempts) queue.bury(slot, "lease-expired", since);
    else queue.giveBack(slot, attempt, 0, since);
  }

  #drop({ id, position }: Extract<Command, { type: "drop" }>): void {
    const { jobs } = this.queue;
    const words = new Int32Array(4);
    parseWords(id, words);
    const slot = jobs.find(words);
    if (slot < 0 || this.pages.get(jobs.table.piece(slot)).position !== position) return;
    this.damaged.add(position);
    if (jobs.table.state(slot) === LEASED) this.queue.counters.take--;
    this.queue.remove(slot);
  }
}
