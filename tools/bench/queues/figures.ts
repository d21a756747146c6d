/** What the runs of a row come to: ratios within a round, never between rounds. */
import { median } from "../stats.ts";
import type { Outcome, RowResult, SideResult } from "./results.ts";
import type { Measure } from "./row.ts";
import type { SideName } from "./spec.ts";

/** A side of a row, if it took part. */
export function sideOf(result: RowResult, side: SideName): SideResult | undefined {
  return result.sides.find((one) => one.side === side && isSound(one));
}

/** It took part, and the audit of each of its runs found nothing. */
export function isSound(side: SideResult): boolean {
  return side.absent === undefined && side.rounds.length > 0 && problemsOf(side).length === 0;
}

/** What the audit found in its runs. */
export function problemsOf({ rounds }: SideResult): string[] {
  return [...new Set(rounds.flat().flatMap(({ problems }) => problems))];
}

/** A figure of every run of a side. */
export function runsOf(side: SideResult | undefined, figure: string): number[] {
  return (side?.rounds ?? []).flat().flatMap(({ figures }) => figures[figure] ?? []);
}

/** A figure for each job, by run. */
export function perJob(side: SideResult, figure: string): number {
  const one = ({ figures }: Outcome): number => (figures[figure] ?? Number.NaN) / (figures["jobs"] ?? Number.NaN);
  return median(side.rounds.flat().map(one));
}

/** Ours over theirs by round; of what should be little, theirs over ours. So above 1 we are ahead. */
export function leads(
  result: RowResult,
  against: SideName,
  { figure, better }: Measure,
  ours: SideName = "pq",
): number[] {
  const [us, them] = [sideOf(result, ours), sideOf(result, against)];
  if (us === undefined || them === undefined) return [];
  const ofRound = (side: SideResult, round: number): number =>
    side.rounds[round]!.reduce((sum, { figures }) => sum + figures[figure]!, 0);
  return Array.from({ length: Math.min(us.rounds.length, them.rounds.length) }, (_, round) => {
    const ratio = ofRound(us, round) / ofRound(them, round);
    return better === "more" ? ratio : 1 / ratio;
  });
}

/** A side against itself: the two runs of each round. */
export function control(side: SideResult, { figure }: Measure): number[] {
  return side.rounds.map(([first, second]) => first.figures[figure]! / second.figures[figure]!);
}
