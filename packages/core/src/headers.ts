/**
 * Core's own room in every stored job: JSON text, or nothing.
 *
 *     { "r": 1, "b": ["e", base, factor, max, jitter] }   or   "b": ["f", delay]
 *
 * `r`: a result is kept, so it is worth encoding. `b`: the job's own backoff. Unknown members are left alone: a newer
 * version may have written them.
 */
import { type Backoff, checkBackoff } from "./backoff.ts";

/** What core stores with a job besides its payload. */
export interface Headers {
  readonly keepsResult: boolean;
  readonly backoff: Backoff | null;
}

const NONE: Headers = Object.freeze({ keepsResult: false, backoff: null });

/** The text for these headers. */
export function writeHeaders({ keepsResult, backoff }: Headers): string {
  if (!keepsResult && backoff === null) return "";
  return JSON.stringify({ ...(keepsResult && { r: 1 }), ...(backoff !== null && { b: pack(backoff) }) });
}

/** The headers in this text. What cannot be read is as though it were not there: it must not keep a job from being done. */
export function readHeaders(text: string): Headers {
  if (text === "") return NONE;
  try {
    const { r, b } = JSON.parse(text) as { readonly r?: unknown; readonly b?: unknown };
    return { keepsResult: r === 1, backoff: Array.isArray(b) ? unpack(b) : null };
  } catch {
    return NONE;
  }
}

function pack(backoff: Backoff): readonly unknown[] {
  if (backoff.type === "fixed") return ["f", backoff.delay];
  return ["e", backoff.base, backoff.factor, backoff.max, backoff.jitter];
}

function unpack([type, first, factor, max, jitter]: readonly unknown[]): Backoff | null {
  if (type === "f") return checkBackoff({ type: "fixed", delay: first });
  if (type !== "e") return null;
  return checkBackoff({ type: "exponential", base: first, factor, max, jitter });
}
