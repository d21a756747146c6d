const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TEXT = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** A span of time: a number of milliseconds, or a number with a unit, such as `"250ms"`, `"5s"`, `"1.5h"` or `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/**
 * The whole milliseconds in a duration, fractions rounded up.
 * Throws a `TypeError` for what is no duration, and a `RangeError` below `least` ms, for NaN and for infinite ones.
 */
export function parseDuration(value: unknown, name: string, least = 0): number {
  const ms = Math.ceil(milliseconds(value, name));
  if (ms < least || !Number.isSafeInteger(ms)) {
    throw new RangeError(`${name} is ${String(value)}: it must be a finite duration of at least ${least} ms`);
  }
  return ms;
}

function milliseconds(value: unknown, name: string): number {
  if (typeof value === "number") return value;
  const [, amount, unit] = (typeof value === "string" && TEXT.exec(value)) || [];
  const factor = UNITS[unit ?? ""];
  if (amount !== undefined && factor !== undefined) return Number(amount) * factor;
  const found = typeof value === "string" ? `"${value.slice(0, 40)}"` : typeof value;
  throw new TypeError(
    `${name} is ${found}: it must be a number of milliseconds, or text like "250ms", "5s", "10m", "2h", "1d"`,
  );
}
