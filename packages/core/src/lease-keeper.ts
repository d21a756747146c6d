/**
 * One heartbeat for all leases of a process (one for each clock): a single timer, set for the lease that needs it first.
 *
 *     keep --> [kept] --a third of the lease has passed--> touch --extended--> [kept]
 *                     --the touch says no, or the local end has passed--> lost: its signal aborts, its watcher is told
 *
 * All renewals of a beat are asked for in the same turn, so the batcher of each queue sends them as one call.
 * A beat that comes late says that the event loop was blocked: a handler that computes without end looks dead to the store, and
 * whoever runs it must be able to tell.
 */
import { background } from "./background.ts";
import { Bag } from "./bag.ts";
import type { Clock, Timer } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import type { Lease, LeaseWatcher, LostReason } from "./lease.ts";

/** A beat later than this, or than a quarter of the shortest lease, counts as a blocked event loop; in ms. */
const LATE = 1000;

const keepers = new WeakMap<Clock, LeaseKeeper>();

/** Renews leases until they are dropped. */
export class LeaseKeeper {
  /** `blocked`: for how many ms the event loop did not get to run its timers, at least. */
  readonly events: Emitter<{ blocked: number }> = new Emitter<{ blocked: number }>();
  readonly #clock: Clock;
  readonly #kept = new Bag<Lease>();
  #timer: Timer | undefined;
  /** When the timer should fire. */
  #planned = Infinity;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The one keeper of this clock. */
  static of(clock: Clock): LeaseKeeper {
    let keeper = keepers.get(clock);
    if (keeper === undefined) keepers.set(clock, (keeper = new LeaseKeeper(clock)));
    return keeper;
  }

  /** Renew this lease from now on. `false` when somebody has it renewed already. */
  keep(lease: Lease, watcher: LeaseWatcher): boolean {
    if (this.#kept.has(lease)) return false;
    this.#kept.add(lease);
    lease.watcher = watcher;
    this.#arm(nextMoment(lease));
    return true;
  }

  /** Its settling has failed: if it is kept, renew it again. */
  resume(lease: Lease): void {
    if (this.#kept.has(lease)) this.#arm(nextMoment(lease));
  }

  /** No longer. */
  drop(lease: Lease): void {
    if (!this.#kept.delete(lease)) return;
    lease.watcher = undefined;
    if (this.#kept.size > 0) return;
    this.#timer?.cancel();
    this.#planned = Infinity;
  }

  #arm(moment: number): void {
    if (moment >= this.#planned) return;
    this.#timer?.cancel();
    this.#planned = moment;
    this.#timer = this.#clock.timer(Math.max(0, moment - this.#clock.monotonic()), () => this.#beat(), {
      background: true,
    });
  }

  #beat(): void {
    const planned = this.#planned;
    const now = this.#clock.monotonic();
    const kept = this.#kept.toArray();
    const blocked = isLate(now - planned, kept);
    this.#planned = Infinity;
    if (blocked) this.events.emit("blocked", now - planned);
    for (const lease of kept) {
      const { watcher } = lease;
      if (watcher === undefined || lease.settling) continue;
      if (now >= lease.end) {
        this.#lose(lease, blocked && lease.end > planned ? "event-loop-blocked" : "expired");
      }
      // Those that would be due soon go along.
      else if (!lease.renewing && lease.renewAt <= now + lease.duration / 6) background(this.#renew(lease, watcher));
    }
    let next = Infinity;
    for (const lease of this.#kept.toArray()) next = Math.min(next, nextMoment(lease));
    if (next < Infinity) this.#arm(next);
  }

  async #renew(lease: Lease, watcher: LeaseWatcher): Promise<void> {
    const since = this.#clock.monotonic();
    lease.renewing = true;
    try {
      const extended = await watcher.renew(lease);
      if (extended) lease.renewed(since, lease.duration);
      else if (!lease.settling) this.#lose(lease, "taken-over");
    } catch {
      // Not reached: try again soon, until its end.
      lease.renewAt = this.#clock.monotonic() + lease.duration / 10;
    }
    lease.renewing = false;
    if (this.#kept.has(lease)) this.#arm(nextMoment(lease));
  }

  #lose(lease: Lease, reason: LostReason): void {
    const { watcher } = lease;
    if (watcher === undefined) return;
    this.drop(lease);
    lease.lose(reason);
    watcher.lost(lease, reason);
  }
}

function isLate(ms: number, kept: readonly Lease[]): boolean {
  let shortest = Infinity;
  for (const { duration } of kept) shortest = Math.min(shortest, duration);
  return ms >= Math.min(LATE, shortest / 4);
}

function nextMoment(lease: Lease): number {
  if (lease.settling) return Infinity;
  return lease.renewing ? lease.end : Math.min(lease.renewAt, lease.end);
}
