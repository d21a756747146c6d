import assert from "node:assert/strict";
import type { RuleContext } from "./rule.ts";
import { job, range, seam } from "./seam-queue.ts";

/** How many of ten waiters, each on a connection of its own, are woken by one put. */
export async function wokenByOnePut(t: RuleContext, round: number): Promise<number> {
  const q = await seam(t, `herd ${round}`);
  const waiters = await Promise.all(range(10).map(() => seam(t, q.name)));
  // A first wait, so that connections for waiting are open.
  const warm = Promise.all(waiters.map((waiter) => waiter.wait(new AbortController().signal, 1)));
  await t.pass(10);
  await warm;
  const over = new AbortController();
  let woken = 0;
  const waits = waiters.map(async (waiter) => {
    await waiter.wait(over.signal);
    if (!over.signal.aborted) woken++;
  });
  try {
    await t.pass(100);
    await q.put(job("job"));
    await t.eventually(() => assert.ok(woken > 0, "a put woke none of ten waiters"));
    await t.pass(100);
    return woken;
  } finally {
    over.abort();
    await Promise.all(waits);
  }
}
