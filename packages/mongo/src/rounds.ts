/**
 * Takes and changes of one queue, worked off together. While a round is under way, calls gather for the next one, so that many calls of a
 * process cost as much as one, and do not compete with each other for the same pages.
 *
 *     read pages --> catch up --> changes --> deliveries --> write the pages in one command --> groups --> answers
 *        ^                                                      |
 *        +-------------- somebody else changed one -------------+
 *
 * When a page was changed meanwhile, what hung on it is read and decided again; what was decided about the pages that were written stays.
 */
import { randomInt } from "node:crypto";
import { type DeliveredJob, PqError, sleep, systemClock, type TakeParams } from "@pq/core/backend";
import type { Call } from "./call.ts";
import type { Change } from "./changes.ts";
import { PageCache } from "./page-cache.ts";
import type { QueueParts } from "./parts.ts";
import { PendingChange, PendingTake, type Works } from "./pending.ts";
import { Round } from "./round.ts";

/** Tries of one round, after which its calls are given up. */
const MOST_TRIES = 100;
/** The longest pause after a lost try, in ms. */
const LONGEST_PAUSE = 50;
/** A take chooses among so many pages at most. */
const WIDEST = 64;

/** The takes and changes of one queue in one backend. */
export class Rounds {
  readonly #queue: QueueParts;
  readonly #newCall: () => Call;
  readonly #cache = new PageCache();
  #takes: PendingTake[] = [];
  #changes: PendingChange[] = [];
  #running = false;
  /** Once a try was lost, a take chooses among so many pages: more while other processes are at the first ones. */
  #width = 1;

  constructor(queue: QueueParts, newCall: () => Call) {
    this.#queue = queue;
    this.#newCall = newCall;
  }

  /** Lease jobs. */
  take(work: TakeParams): Promise<readonly DeliveredJob[]> {
    return new Promise((resolve, reject) => {
      this.#takes.push(new PendingTake(work, resolve, reject));
      this.#start();
    });
  }

  /** Change certain jobs. */
  change<Answer>(work: Change<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#changes.push(new PendingChange(work, resolve as (answer: unknown) => void, reject));
      this.#start();
    });
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    // Calls of this turn come together.
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#takes.length + this.#changes.length > 0) {
      const works = { takes: this.#takes, changes: this.#changes };
      this.#takes = [];
      this.#changes = [];
      try {
        await this.#round(works);
      } catch (error) {
        this.#cache.clear();
        for (const { reject } of [...works.takes, ...works.changes]) reject(error);
      }
    }
    this.#running = false;
  }

  async #round(works: Works): Promise<void> {
    const parts = { queue: this.#queue, call: this.#newCall(), cache: this.#cache };
    let left = works;
    // As long as nobody is known to be at the first pages, jobs are given in order.
    let width = 1;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { takes, changes, lost } = await new Round({ ...parts, width, first: tries === 0 }, left).run();
      if (takes.length + changes.length === 0) return this.#narrow();
      left = { takes, changes };
      if (!lost) continue;
      // A change that is lost, perhaps since a lease has ended, says nothing of others who take.
      if (takes.length > 0) width = this.#width = Math.min(WIDEST, 2 * this.#width);
      await sleep(systemClock, randomInt(Math.min(LONGEST_PAUSE, 2 ** tries)));
    }
    throw new PqError("OUTCOME_UNKNOWN", `others changed the same jobs ${MOST_TRIES} times in a row`);
  }

  /** Races are won: back to the first pages by and by. */
  #narrow(): void {
    if (this.#width > 1 && randomInt(10) === 0) this.#width--;
  }
}
