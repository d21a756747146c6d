/**
 * The calls that one connection has in flight, in the order in which they began. All have the same time, so the first to begin is the
 * first to be late: one timer watches over all of them.
 */
import { systemClock, type Timer } from "@pq/core/backend";

/** A late call gets so many ms more, in which a process that was busy reads what has come meanwhile. */
const GRACE = 20;

/** A call in flight. */
export class Call {
  readonly reject: (error: Error) => void;
  readonly began: number;
  before: Call | undefined = undefined;
  after: Call | undefined = undefined;
  open = true;

  constructor(reject: (error: Error) => void, began: number) {
    this.reject = reject;
    this.began = began;
  }
}

/** The calls in flight. */
export class Calls {
  readonly #timeout: number;
  readonly #onLate: () => void;
  #first: Call | undefined;
  #last: Call | undefined;
  #timer: Timer | undefined;
  /** Seen late once. */
  #suspect: Call | undefined;
  #onIdle: (() => void) | undefined;

  /** `onLate` is called when a call had no answer for `timeout` ms; the call is still in flight then. */
  constructor(timeout: number, onLate: () => void) {
    this.#timeout = timeout;
    this.#onLate = onLate;
  }

  /** A call begins. */
  begin(reject: (error: Error) => void): Call {
    const call = new Call(reject, systemClock.monotonic());
    call.before = this.#last;
    if (this.#last === undefined) this.#first = call;
    else this.#last.after = call;
    this.#last = call;
    if (this.#timer === undefined) this.#watch(this.#timeout);
    return call;
  }

  /** It has ended. False when it had ended before, and nothing may be said about it any more. */
  end(call: Call): boolean {
    if (!call.open) return false;
    call.open = false;
    if (call.before === undefined) this.#first = call.after;
    else call.before.after = call.after;
    if (call.after === undefined) this.#last = call.before;
    else call.after.before = call.before;
    // Garbage that has grown old must not keep alive what came after it: with all that the calls brought, that is most of a collector's work.
    call.before = call.after = undefined;
    if (this.#first === undefined && this.#onIdle !== undefined) this.#onIdle();
    return true;
  }

  /** Resolve once none is in flight. */
  idle(): Promise<void> {
    if (this.#first === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#onIdle;
      this.#onIdle = () => {
        this.#onIdle = undefined;
        before?.();
        resolve();
      };
    });
  }

  /** End all of them with an error of their own. */
  fail(error: () => Error): void {
    while (this.#first !== undefined) {
      const call = this.#first;
      this.end(call);
      call.reject(error());
    }
  }

  /** Stop watching. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(ms: number): void {
    // Left running when the last call ends: to cancel and start it for each lone call would cost more than the call.
    this.#timer = systemClock.timer(ms, () => this.#look(), { background: true });
  }

  #look(): void {
    this.#timer = undefined;
    const first = this.#first;
    if (first === undefined) return;
    const left = first.began + this.#timeout - systemClock.monotonic();
    if (left > 0) return this.#watch(left);
    if (this.#suspect === first) return this.#onLate();
    this.#suspect = first;
    this.#watch(GRACE);
  }
}
