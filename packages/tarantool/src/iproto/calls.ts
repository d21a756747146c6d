/** The calls that one connection has in flight, and one timer that watches over all of them. */
import { systemClock, type Timer } from "@pq/core/backend";
import type { Received } from "./value.ts";

/** A late call gets so many ms more, in which a process that was busy reads what has come meanwhile. */
export const GRACE = 20;

/** How a call ends. */
export interface Ending {
  readonly resolve: (values: readonly Received[]) => void;
  readonly reject: (error: Error) => void;
}

/** A call in flight. */
export class Call {
  readonly ending: Ending;
  /** How long it may take, in ms. */
  readonly timeout: number;
  /** That it is late says nothing about the connection. */
  readonly keep: boolean;
  deadline: number;
  /** Seen late once. */
  suspect = false;

  constructor(ending: Ending, timeout: number, keep: boolean) {
    this.ending = ending;
    this.timeout = timeout;
    this.keep = keep;
    this.deadline = systemClock.monotonic() + timeout;
  }
}

/** The calls in flight, by their number. */
export class Calls {
  readonly #onLate: (call: Call) => void;
  readonly #calls = new Map<number, Call>();
  #timer: Timer | undefined;
  /** When the timer fires. */
  #due = Infinity;

  /** `onLate` is called when a call's time is over. If it may be late, it is no longer in flight then. */
  constructor(onLate: (call: Call) => void) {
    this.#onLate = onLate;
  }

  /** A call begins. */
  add(sync: number, call: Call): void {
    this.#calls.set(sync, call);
    this.#watch(call.deadline);
  }

  /** It has ended. Nothing if it is not in flight. */
  take(sync: number): Call | undefined {
    const call = this.#calls.get(sync);
    // The timer is left as it is: to cancel and start it for each lone call would cost more than the call.
    if (call !== undefined) this.#calls.delete(sync);
    return call;
  }

  /** End all of them with an error of their own, and stop watching. */
  fail(error: (sync: number) => Error): void {
    this.#timer?.cancel();
    this.#due = -Infinity;
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const [sync, call] of calls) call.ending.reject(error(sync));
  }

  #watch(deadline: number): void {
    if (deadline >= this.#due) return;
    this.#timer?.cancel();
    this.#due = deadline;
    this.#timer = systemClock.timer(deadline - systemClock.monotonic(), () => this.#look(), { background: true });
  }

  #look(): void {
    this.#due = Infinity;
    const now = systemClock.monotonic();
    let next = Infinity;
    for (const [sync, call] of this.#calls) {
      if (call.deadline <= now && this.#isLate(sync, call, now)) continue;
      if (call.deadline < next) next = call.deadline;
    }
    this.#watch(next);
  }

  /** Its time is over: really, or is it to be looked at again? */
  #isLate(sync: number, call: Call, now: number): boolean {
    if (call.suspect) {
      if (call.keep) this.#calls.delete(sync);
      this.#onLate(call);
      return true;
    }
    call.suspect = true;
    call.deadline = now + GRACE;
    return false;
  }
}
