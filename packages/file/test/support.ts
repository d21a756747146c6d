/** What the tests of this store share. */
import fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobId, NewJob, RequestId } from "@pq/core/backend";

/** A folder that is removed at the end of the block. */
export async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await fs.mkdtemp(join(tmpdir(), "pq-file-"));
  return { path, [Symbol.asyncDispose]: () => fs.rm(path, { recursive: true, force: true }) };
}

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

/** A plain job. */
export function job(n: number, payload: string | Uint8Array = `payload ${n}`, more: Partial<NewJob> = {}): NewJob {
  return {
    id: testId(n),
    payload: Buffer.from(payload),
    priority: 0,
    urgent: false,
    due: null,
    ttl: null,
    lease: null,
    key: null,
    group: null,
    maxAttempts: 3,
    keepResult: null,
    headers: "",
    ...more,
  };
}
