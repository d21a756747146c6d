/** Two ways to do the same work, measured in turns, since a machine's speed changes from second to second. */
import { median, showSpread, spread } from "./stats.ts";

/** One side of a comparison. */
export interface Side {
  readonly name: string;
  /** Do so much work: resolves when the last of it is confirmed. */
  run(jobs: number): Promise<void>;
}

/** What is to be compared. */
export interface Comparison {
  readonly title: string;
  /** How much work a run is. */
  readonly jobs: number;
  readonly a: Side;
  readonly b: Side;
  /** Called after the last run. */
  end?(): Promise<void>;
}

const ROUNDS = 7;

/** Warm up once, then measure A B B A in rounds; a paragraph with rates, ratio and control. */
export async function measure({ title, jobs, a, b }: Comparison): Promise<string> {
  await a.run(jobs);
  await b.run(jobs);
  const rates = { a: [] as number[], b: [] as number[] };
  const ratios: number[] = [];
  const control: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const a1 = await rate(a, jobs);
    const b1 = await rate(b, jobs);
    const b2 = await rate(b, jobs);
    const a2 = await rate(a, jobs);
    rates.a.push(a1, a2);
    rates.b.push(b1, b2);
    ratios.push((a1 + a2) / (b1 + b2));
    control.push(a1 / a2);
  }
  return [
    title,
    `  A  ${a.name.padEnd(50)} ${perSecond(median(rates.a))}`,
    `  B  ${b.name.padEnd(50)} ${perSecond(median(rates.b))}`,
    `  A / B  ${showSpread(spread(ratios))}    control A / A  ${showSpread(spread(control))}\n`,
  ].join("\n");
}

async function rate(side: Side, jobs: number): Promise<number> {
  const start = performance.now();
  await side.run(jobs);
  return (jobs / (performance.now() - start)) * 1000;
}

function perSecond(value: number): string {
  return `${Math.round(value).toLocaleString("en-US")} jobs/s`.padStart(18);
}
