/** The only file that touches the system's clock and timers: everything else takes a `Clock`, so tests can drive time. */

/** A timer that was started. */
export interface Timer {
  /** Stop it; nothing happens when it already fired. */
  cancel(): void;
}

/** A source of time. */
export interface Clock {
  /** Milliseconds since 1970, as the machine believes: may step. Use it for stored times only. */
  now(): number;
  /** Milliseconds since some fixed moment: never steps back. Use it for durations. */
  monotonic(): number;
  /** Call `fn` once, after `ms` at the earliest. With `background`, the timer alone does not keep the process alive. */
  timer(ms: number, fn: () => void, options?: { readonly background?: boolean }): Timer;
}

/** The longest delay that `setTimeout` takes; it fires at once for more. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(ms: number, fn: () => void, options?: { readonly background?: boolean }): Timer {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      const step = Math.min(Math.max(left, 0), LONGEST_TIMEOUT);
      handle = setTimeout(() => (left > step ? arm(left - step) : fn()), step);
      if (options?.background === true) handle.unref();
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  },
});

/** Resolve after `ms`, or as soon as `signal` aborts; never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.timer(ms, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}

/** Resolves when input that has come, and what it sets off, has had its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A loop may go on for so long without letting timers and input have their turn, in ms. */
const LONGEST_TURN = 10;

/**
 * For loops that a store could keep busy for ever, by answering within the turn: a call now and then, when it is time, takes until timers and
 * input have had theirs.
 */
export function breather(clock: Clock): () => Promise<void> | undefined {
  let last = clock.monotonic();
  return () => {
    if (clock.monotonic() - last < LONGEST_TURN) return undefined;
    return turn().then(() => {
      last = clock.monotonic();
    });
  };
}
