import { type Duration, parseDuration } from "./duration.ts";
import { random } from "./id.ts";

/** How long a failed job waits, as data: it can be stored with a job. Made by `exponential()` and `fixed()`. */
export type Backoff =
  | {
      readonly type: "exponential";
      /** Before the first retry, in ms. */
      readonly base: number;
      /** Each further wait is so many times the one before. */
      readonly factor: number;
      /** No wait is longer, in ms. */
      readonly max: number;
      /** Draw the wait evenly between 0 and its value ("full jitter"), so that jobs that failed together do not come back together. */
      readonly jitter: boolean;
    }
  | { readonly type: "fixed"; readonly delay: number };

/** Decides by itself. `attempt` is the number of the attempt that failed, from 1. */
export type BackoffFunction = (attempt: number, error: unknown) => Duration;

/** Waits that grow: `base * factor ** (attempt - 1)`, at most `max`. Defaults: 1 s, factor 2, 10 min, with full jitter. */
export function exponential(
  options: {
    readonly base?: Duration;
    readonly factor?: number;
    readonly max?: Duration;
    readonly jitter?: boolean;
  } = {},
): Backoff {
  const base = parseDuration(options.base ?? 1000, "base", 1);
  const factor = options.factor ?? 2;
  if (typeof factor !== "number" || !(factor >= 1) || factor === Infinity) {
    throw new RangeError(`factor is ${String(factor)}: it must be a number of at least 1`);
  }
  const max = parseDuration(options.max ?? "10m", "max", 1);
  return Object.freeze({ type: "exponential", base, factor, max, jitter: options.jitter ?? true });
}

/** The same wait each time. */
export function fixed(delay: Duration): Backoff {
  return Object.freeze({ type: "fixed", delay: parseDuration(delay, "delay") });
}

/** What a job gets whose producer and worker say nothing. */
export const defaultBackoff: Backoff = exponential();

/** The wait after this attempt failed, in whole ms. What a function answers is checked as any duration. */
export function delayAfter(backoff: Backoff | BackoffFunction, attempt: number, error: unknown): number {
  if (typeof backoff === "function") return parseDuration(backoff(attempt, error), "the backoff's answer");
  if (backoff.type === "fixed") return backoff.delay;
  const full = Math.min(backoff.max, backoff.base * backoff.factor ** Math.max(0, attempt - 1));
  return Math.ceil(backoff.jitter ? full * random() : full);
}

/** A backoff from outside, checked: an option, or what a stored job says. Throws a `TypeError` or `RangeError`. */
export function checkBackoff(value: unknown): Backoff {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<
    Record<"type" | "delay" | "base", never>
  >;
  if (given.type === "fixed") return fixed(given.delay ?? 0);
  if (given.type === "exponential") return exponential(given);
  throw new TypeError("backoff must be what exponential() or fixed() returns");
}
