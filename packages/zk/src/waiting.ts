/**
 * Waiting for a job of one queue. Who waits gets in line in the log itself (`line.ts`), and then follows the log: one watch, on the
 * node that the next entry will be, for all who wait in this process. An entry that wakes this process ends a wait here, and no other entry does.
 *
 * A place in line outlives a wait that ended by its timeout or signal: the next wait has it. If it is woken while nobody waits here, it is passed on.
 *
 * Time makes jobs ready without an entry. The first in line looks at the moment when the next one is due; those behind it a little later, should it be dead.
 */
import { type Clock, PqError, type WaitParams } from "@pq/core/backend";
import { giveWay } from "@pq/core/state";
import type { Waiting as InLine } from "./line.ts";
import type { QueuePaths } from "./paths.ts";
import type { QueueLog } from "./queue-log.ts";
import type { ServerTime } from "./server-time.ts";

/** How much later the next in line looks than the one before it, and how many that goes on for, in ms. */
const BEHIND = 20;
const MOST_BEHIND = 10;
/** No look at a due time comes sooner than this after the one before, in ms. */
const LEAST = 2;
/** While somebody waits, the log is looked at by so much, should a watch have missed something. In ms. */
const LOOK_EVERY = 4000;

/** A wait under way. */
interface Waiter {
  readonly end: (error?: PqError) => void;
}

/** What waits need of their queue. */
export interface WaitingContext {
  readonly paths: QueuePaths;
  readonly clock: Clock;
  readonly time: ServerTime;
  /** Who takes part here. Throws while there is no connection. */
  member(this: void): string;
}

/** The waits of one process for one queue. */
export class Waiting {
  readonly #log: QueueLog;
  readonly #paths: QueuePaths;
  readonly #clock: Clock;
  readonly #time: ServerTime;
  readonly #member: () => string;
  readonly #waiters: Waiter[] = [];
  /** The places in line, used or free, by ticket. They are those of `#owner`. */
  readonly #tickets = new Set<number>();
  #owner = "";
  #lastTicket = 0;
  /** The position of the entry that a watch waits for. */
  #watched: number | null = null;
  /** So many entries are there, as the last watch that fired has told. */
  #known = 0;
  #following = false;
  #closed = false;
  #again = false;
  #alarm: { cancel(): void } | undefined;
  #alarmAt = 0;

  constructor(log: QueueLog, { paths, clock, time, member }: WaitingContext) {
    this.#log = log;
    this.#paths = paths;
    this.#clock = clock;
    this.#time = time;
    this.#member = member;
  }

  /** The seam's `wait`. */
  async wait({ timeout, signal }: Pick<WaitParams, "timeout" | "signal">): Promise<void> {
    if (signal.aborted) return;
    try {
      await this.#log.create();
    } catch (error) {
      if (!this.#closed) throw error;
    }
    if (signal.aborted || this.#closed) return;
    if ((this.#log.replica?.deliverable ?? 0) > 0) return giveWay();
    const waiting = this.#sleep(timeout, signal);
    this.#getInLine();
    this.#follow();
    await waiting;
  }

  /** Something was applied, or the replica was replaced. */
  changed(): void {
    this.#setAlarm();
  }

  /** One of this process was woken. */
  woken({ member, ticket }: InLine): void {
    if (member !== this.#owner) return;
    this.#tickets.delete(ticket);
    const [waiter] = this.#waiters;
    if (waiter === undefined) void this.#log.submit({ type: "leave", ticket }).catch(() => undefined);
    else waiter.end();
  }

  /** A watch fired. */
  fired(path: string): void {
    if (this.#watched === null || path !== this.#paths.entry(this.#watched)) return;
    this.#known = this.#watched + 1;
    this.#watched = null;
    if (this.#waiters.length > 0) this.#follow();
  }

  /** The connection was lost: who waits is told, and asks again. */
  down(): void {
    this.#watched = null;
    this.#endAll(new PqError("UNAVAILABLE", "the connection was lost while waiting"));
  }

  /** Everybody goes home. */
  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
    this.#endAll();
  }

  #endAll(error?: PqError): void {
    for (const { end } of this.#waiters.splice(0)) end(error);
  }

  #sleep(timeout: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: PqError): void => {
        const index = this.#waiters.indexOf(waiter);
        if (index >= 0) this.#waiters.splice(index, 1);
        timer.cancel();
        signal.removeEventListener("abort", stop);
        this.#setAlarm();
        if (error === undefined) resolve();
        else reject(error);
      };
      const stop = (): void => end();
      const waiter: Waiter = { end };
      const timer = this.#clock.timer(timeout, stop);
      signal.addEventListener("abort", stop, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** As many places as there are waits. */
  #getInLine(): void {
    try {
      const member = this.#member();
      if (member !== this.#owner) this.#tickets.clear();
      this.#owner = member;
    } catch {
      return; // Not connected: `down` has ended the waits, or will.
    }
    while (this.#tickets.size < this.#waiters.length) {
      const ticket = ++this.#lastTicket;
      this.#tickets.add(ticket);
      this.#log.submit({ type: "wait", ticket }).catch((error: unknown) => {
        // Nobody knows whether it is in line. A wait that does not end by it ends by its timeout.
        this.#tickets.delete(ticket);
        const why = error instanceof Error ? error.message : "unknown";
        this.#endAll(new PqError("UNAVAILABLE", `no place in line could be had: ${why}`, { cause: error }));
      });
    }
  }

  /** Read the log while somebody waits, and leave a watch at its end. */
  #follow(): void {
    this.#again = true;
    if (this.#following) return;
    this.#following = true;
    this.#read()
      .catch((error: unknown) => {
        this.#known = 0;
        const why = error instanceof Error ? error.message : "unknown";
        this.#endAll(new PqError("UNAVAILABLE", `the log cannot be followed: ${why}`, { cause: error }));
      })
      .finally(() => {
        this.#following = false;
        this.#setAlarm();
      });
  }

  async #read(): Promise<void> {
    while (this.#again && this.#waiters.length > 0) {
      this.#again = false;
      this.#watched ??= await this.#log.watch(this.#known);
    }
  }

  /** Look again at the moment when time makes a job ready. */
  #setAlarm(): void {
    const replica = this.#log.replica;
    const moment = replica === null || replica.queue.paused ? null : replica.queue.nextMoment();
    if (this.#waiters.length === 0 || moment === null) {
      this.#alarm?.cancel();
      this.#alarm = undefined;
      return;
    }
    const ranks = [...this.#tickets].map((ticket) => replica?.line.rank({ member: this.#owner, ticket }) ?? 0);
    const rank = Math.min(MOST_BEHIND, Math.max(0, Math.min(...ranks, MOST_BEHIND)));
    const at = moment + rank * BEHIND;
    if (this.#alarm !== undefined && at === this.#alarmAt) return;
    this.#alarm?.cancel();
    this.#alarmAt = at;
    const ring = (): void => {
      this.#alarm = undefined;
      this.#waiters[0]?.end();
    };
    this.#alarm = this.#clock.timer(Math.max(LEAST, Math.min(at - this.#time.now, LOOK_EVERY)), ring, {
      background: true,
    });
  }
}
