/** All checks of a history. Pure: a history in, violations out. */
import type { History } from "./history.ts";
import { attempts, damaged, doubled, early, fences, lost, refused, restOf, secondHolder, torn } from "./jobs.ts";
import { groups, keys } from "./lanes.ts";
import { type Bounds, deadlines, health, liveness, processes, totals } from "./run.ts";
import type { Violation } from "./violation.ts";

/** Everything that is wrong with a run. */
export function check(history: History, bounds: Bounds): Violation[] {
  const rest = restOf(history);
  return [
    ...[lost, doubled, refused, torn, damaged, secondHolder, fences, attempts, early, keys].flatMap((rule) =>
      rule(history, rest),
    ),
    ...[groups, deadlines, health, processes].flatMap((rule) => rule(history)),
    ...liveness(history, rest, bounds),
    ...totals(history, rest, bounds),
  ];
}
