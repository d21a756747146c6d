/** Waiting for what falls due, so that neither a slow machine nor a late store makes a rule fail. */
import assert from "node:assert/strict";
import type { DeliveredJob } from "../job.ts";
import { LONG } from "./jobs.ts";
import type { RuleContext } from "./rule.ts";
import type { SeamQueue } from "./seam-queue.ts";

/** How much time `takeSoon` gives a busy machine above what the store states, and how often it looks. Milliseconds. */
const SLACK = 1_000;
const STEP = 10;

/** Take until a job comes, for at most `ms`, the store's stated lateness, and some slack for a busy machine. */
export async function takeSoon(t: RuleContext, q: SeamQueue, ms: number, lease: number = LONG): Promise<DeliveredJob> {
  const { clock } = t.store;
  const end = clock.monotonic() + ms + q.backend.capabilities.lateness + SLACK;
  for (;;) {
    const [job] = await q.take(1, lease);
    if (job !== undefined) return job;
    assert.ok(clock.monotonic() < end, `no job came, though one was due after ${ms} ms at the latest`);
    await t.pass(STEP);
  }
}

/**
 * Starts now: see that at least `ms` have passed when the function it returns is called. Start it before the call that begins
 * the delay or lease, and check it after the call that showed it to be over: then no slow machine can make it fail.
 */
export function notBefore(t: RuleContext, { backend }: SeamQueue, ms: number): (what: string) => void {
  const start = t.store.clock.monotonic();
  return (what) => {
    const passed = t.store.clock.monotonic() - start;
    const tolerance = backend.capabilities.timePrecision + 1; // the two ends are read on another clock than the store's
    assert.ok(passed >= ms - tolerance, `${what} after ${passed} ms instead of ${ms} ms`);
  };
}

/** Two times of the store are the same as far as its clock can tell. */
export function assertSameTime({ backend }: SeamQueue, actual: number | null | undefined, expected: number): void {
  const off = Math.abs((actual ?? NaN) - expected);
  assert.ok(off < backend.capabilities.timePrecision, `the store says ${actual}, it should be ${expected}`);
}
