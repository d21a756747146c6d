import type { Clock } from "../clock.ts";

/**
 * A clock that is wrong by `ms` (negative: slow): the same timers and durations, another time of day. Give it to a queue
 * to show that nothing is decided by the clock of a producer or consumer.
 */
export function skewed(clock: Clock, ms: number): Clock {
  return {
    now: () => clock.now() + ms,
    monotonic: () => clock.monotonic(),
    timer: (delay, fn, options) => clock.timer(delay, fn, options),
  };
}
