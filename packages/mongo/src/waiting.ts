/**
 * Waiting for jobs of one queue. All waits of a backend share its looks:
 *
 *     wait --> look --a page has a job--> claim it --won--> the wait ends
 *               ^                          --lost--+
 *               |       --none--> sleep <----------+
 *               +-- a poll, a moment of the queue, a put or return of this backend, or a hint of the change stream
 *
 * - **The first look of a wait claims nothing.** It comes after the take that was for nothing, so no job is missed, and a job that waits is
 *   found at once. Only later looks compete with those of other processes: `claim.ts`.
 * - **A poll** comes after 5 ms, doubling up to 200 ms while there is nothing; up to 5 s while the change stream tells what happens.
 * - **Who was too late for a moment or a hint holds back** from the next ones, by chance up to twice as long each time, so that many
 *   processes do not all look for the sake of one job. Who gets one is quick again.
 */
import { randomInt } from "node:crypto";
import { systemClock, type Timer, type WaitParams } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { claim, CLAIMABLE, giveBack } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { readHead } from "./head.ts";
import { housekeep } from "./housekeeping.ts";
import type { Outlook } from "./pages.ts";
import type { QueueParts } from "./parts.ts";
import type { News, PageStream } from "./stream.ts";

/** Polls, in ms. */
const SHORTEST = 5;
const LONGEST = 200;
/** The longest while changes are told, in ms. */
const LONGEST_TOLD = 5000;
/** So long, at most, who was too late holds back: at first, and after some more times; in ms. */
const HELD_BACK = 16;
const MOST_HELD_BACK = 200;

/** A wait under way. */
interface Wait {
  /** A look that began after it has found nothing. */
  looked: boolean;
  readonly end: (error?: Error) => void;
}

/** What a look saw. */
interface Sight {
  /** A page that has a job to give. */
  readonly page: Outlook | undefined;
  /** In how many ms something happens by itself. */
  readonly wake: number;
}

/** What a look has come to; `lost`: another process was quicker. */
interface Result extends Pick<Sight, "wake"> {
  readonly what: "woken" | "lost" | "paused" | "nothing";
}

/** The waits of one backend for one queue. */
export class Waiting {
  readonly #queue: QueueParts;
  readonly #connection: Pick<Connection, "call">;
  readonly #stream: Pick<PageStream, "up" | "listen"> | undefined;
  readonly #waits = new Set<Wait>();
  #looking = false;
  #alarm: Timer | undefined;
  /** When to look next, by the monotonic clock, and whether that is for a moment or a hint. */
  #next = Infinity;
  #hinted = false;
  #poll = SHORTEST;
  #heldBack = 0;
  #listening = false;

  /** `stream`: where the server has them. */
  constructor(queue: QueueParts, connection: Pick<Connection, "call">, stream?: Pick<PageStream, "up" | "listen">) {
    this.#queue = queue;
    this.#connection = connection;
    this.#stream = stream;
  }

  /** Resolve when a job may be there, the time is over or the signal aborts. Rejects with `UNAVAILABLE` when it cannot look. */
  wait({ timeout, signal }: WaitParams): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    this.#listen();
    return new Promise((resolve, reject) => {
      const giveUp = (): void => wait.end();
      const timer = systemClock.timer(timeout, giveUp);
      const wait: Wait = {
        looked: false,
        end: (error) => {
          if (!this.#waits.delete(wait)) return;
          if (this.#waits.size === 0) this.#rest();
          timer.cancel();
          signal.removeEventListener("abort", giveUp);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waits.add(wait);
      this.signal();
    });
  }

  /** This backend has put or returned jobs: look at once. */
  signal(): void {
    this.#lookIn(0, false);
  }

  /** All waits resolve. */
  close(): void {
    for (const wait of this.#waits) wait.end();
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#stream?.listen(this.#queue.queue, (news) => this.#hear(news));
  }

  #hear({ ready, wake = Infinity }: News): void {
    const { now } = this.#queue.time;
    const ms = ready || now === 0 ? 0 : Math.max(0, wake - now);
    this.#lookIn(ms + this.#holdBack(), true);
  }

  #holdBack(): number {
    return randomInt(this.#heldBack + 1);
  }

  // ---- when to look -----------------------------------------------------------------------------------------------

  /** Look in so many ms, or sooner. */
  #lookIn(ms: number, hinted: boolean): void {
    const at = systemClock.monotonic() + ms;
    if (this.#waits.size === 0 || at >= this.#next) return;
    this.#next = at;
    this.#hinted = hinted;
    this.#setAlarm();
  }

  #setAlarm(): void {
    if (this.#looking || this.#waits.size === 0) return;
    this.#alarm?.cancel();
    const ms = this.#next - systemClock.monotonic();
    if (ms > 0) this.#alarm = systemClock.timer(ms, () => this.#look(), { background: true });
    else this.#look();
  }

  /** Nobody waits any more. */
  #rest(): void {
    this.#alarm?.cancel();
    this.#next = Infinity;
  }

  #look(): void {
    const present = [...this.#waits];
    const hinted = this.#hinted;
    this.#looking = true;
    this.#next = Infinity;
    this.#tryToWake(present)
      .then(
        (result) => this.#plan(result, hinted),
        (error: Error) => {
          for (const wait of present) wait.end(error);
        },
      )
      .finally(() => {
        this.#looking = false;
        this.#setAlarm();
      });
  }

  #plan({ what, wake }: Result, hinted: boolean): void {
    if (what === "woken") this.#heldBack = 0;
    else if (hinted) this.#heldBack = Math.min(Math.max(2 * this.#heldBack, HELD_BACK), MOST_HELD_BACK);
    const told = this.#stream?.up === true && what !== "paused";
    if (what === "woken" || what === "lost") this.#poll = SHORTEST;
    const poll = Math.min(this.#poll, told ? LONGEST_TOLD : LONGEST);
    this.#poll = 2 * poll;
    this.#lookIn((poll * (900 + randomInt(101))) / 1000, false);
    if (what !== "paused") this.#lookIn(Math.max(wake, SHORTEST) + this.#holdBack(), true);
  }

  // ---- a look -----------------------------------------------------------------------------------------------------

  async #tryToWake(present: readonly Wait[]): Promise<Result> {
    const call = this.#connection.call("read");
    const fresh = present.filter(({ looked }) => !looked);
    const free = fresh.length > 0;
    let sight = await this.#see(call, free);
    if (sight.page === undefined && sight.wake <= 0) {
      await housekeep(call, this.#queue);
      sight = await this.#see(call, free);
    }
    for (const wait of fresh) wait.looked = true;
    const { page, wake } = sight;
    if (page === undefined || this.#waits.size === 0) return { what: "nothing", wake };
    const head = await readHead(call, this.#queue.queue);
    if (head?.paused === true) return { what: "paused", wake };
    if (!free) return { what: await this.#claim(call, page), wake };
    for (const wait of fresh) wait.end();
    return { what: "woken", wake };
  }

  /** Jobs that nobody else was told of, or with `free` any jobs, and the next moment. */
  async #see(call: Call, free: boolean): Promise<Sight> {
    const { pages, time } = this.#queue;
    const ready = { next: { $exists: true }, ...(!free && CLAIMABLE) };
    const [[page], [next]] = await Promise.all([
      pages.outlook(call, ready, { sort: { next: 1 }, limit: 1 }),
      pages.outlook(call, { wake: { $exists: true } }, { sort: { wake: 1 }, limit: 1 }),
    ]);
    const now = (page ?? next)?.now.getTime();
    if (now !== undefined) time.saw(now);
    return { page, wake: next?.wake === undefined ? Infinity : next.wake.getTime() - next.now.getTime() };
  }

  /** For the one that has waited longest. */
  async #claim(call: Call, page: Outlook): Promise<"woken" | "lost"> {
    const { queue } = this.#queue;
    if (!(await claim(call, queue, page))) return "lost";
    const [first] = this.#waits;
    if (first === undefined) await giveBack(call, queue, page);
    else first.end();
    return "woken";
  }
}
