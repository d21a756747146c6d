import { sleep, systemClock } from "../clock.ts";

/** The pause between two tries, in milliseconds of real time. */
const PAUSE = 5;

/**
 * Try until `check` no longer throws, for at most `patience` milliseconds of real time (default 5,000), and give what it
 * returns. After that it rejects with what `check` threw last. It moves no manual clock.
 *
 * @example
 * await eventually(async () => assert.equal(await queue.size(), 0));
 */
export async function eventually<R>(
  check: () => R | Promise<R>,
  { patience = 5_000 }: { readonly patience?: number } = {},
): Promise<R> {
  const end = systemClock.monotonic() + patience;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (systemClock.monotonic() >= end) throw error;
    }
    await sleep(systemClock, PAUSE);
  }
}
