/** The few statistics a benchmark needs. */

/** The middle of the values, or the mean of the two in the middle. `NaN` for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((x, y) => x - y);
  const upper = sorted.length / 2;
  return ((sorted[Math.ceil(upper) - 1] ?? Number.NaN) + (sorted[Math.floor(upper)] ?? Number.NaN)) / 2;
}

/** The value that so large a share of the values does not exceed, `share` in 0 .. 1. `NaN` for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** A median with its range. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** The median and the range of the values. */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** `2.10 (1.95 .. 2.31)`; empty where there is nothing to show, as for 0 / 0. */
export function showSpread({ median, least, most }: Spread, digits = 2): string {
  if (!Number.isFinite(median)) return "";
  return `${median.toFixed(digits)} (${least.toFixed(digits)} .. ${most.toFixed(digits)})`;
}
