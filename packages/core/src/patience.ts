/** Looking again and again, for what stores cannot wait for: room, a result, an empty queue. */
import { type Clock, sleep } from "./clock.ts";

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/** How to look. */
export interface LookOptions {
  readonly clock: Clock;
  /** Stop after so many ms; `Infinity` for never. Looks at least once, and a last time at the end. */
  readonly timeout: number;
  /** Ends the wait with its reason. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** Look until `look` gives something other than `undefined`: after 10 ms, doubling to 1 s. `undefined` when the time is over. */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  { clock, timeout, signals }: LookOptions,
): Promise<T | undefined> {
  const end = clock.monotonic() + timeout;
  const stop = anyOf(signals);
  try {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      stop.signal.throwIfAborted();
      const found = await look();
      if (found !== undefined) return found;
      const left = end - clock.monotonic();
      if (left <= 0) return undefined;
      await sleep(clock, Math.min(pause, left), stop.signal);
    }
  } finally {
    stop.drop();
  }
}

/** Aborts with the first of them. Dropped by hand, so that nothing hangs on a signal that lives long. */
function anyOf(signals: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  readonly drop: () => void;
} {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signals.find((signal) => signal?.aborted)?.reason);
  for (const signal of signals) {
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
  }
  const drop = (): void => {
    for (const signal of signals) signal?.removeEventListener("abort", abort);
  };
  return { signal: controller.signal, drop };
}
