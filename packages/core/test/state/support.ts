/** What the tests of the engine share: ids and numbers that are the same every time. */
import type { JobId, RequestId } from "../../src/job.ts";

/** A job id that is the same for the same number. */
export function testId(n: number): JobId {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}` as JobId;
}

/** A request id that is the same for the same number. */
export function testRequest(n: number): RequestId {
  return n.toString(16).padStart(32, "0") as RequestId;
}

/** Numbers that are the same for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}
