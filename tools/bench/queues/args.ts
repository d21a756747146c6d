import { parseArgs } from "node:util";
import type { MeasureOptions } from "./measure.ts";
import type { Row } from "./row.ts";
import type { DurabilityClass } from "./spec.ts";
import type { Suite } from "./suite.ts";

/** The words of the command line, understood. */
export interface Args extends MeasureOptions {
  readonly rows: readonly Row[];
  /** Default: all that are to be had. */
  readonly classes: readonly DurabilityClass[] | undefined;
}

/** Throws a `TypeError` or `RangeError` that says what is wrong with them. */
export function parse({ rows, sides, classes }: Suite, words: readonly string[]): Args {
  const { values } = parseArgs({
    args: [...words],
    options: {
      rows: { type: "string" },
      sides: { type: "string" },
      class: { type: "string" },
      runs: { type: "string" },
      quick: { type: "boolean", default: false },
      profiles: { type: "string" },
    },
  });
  const runs = Number(values.runs ?? (values.quick ? 2 : 5));
  const known = Object.keys(classes) as DurabilityClass[];
  if (!Number.isInteger(runs) || runs < 1) throw new RangeError(`--runs ${values.runs}: a number of rounds from 1`);
  return {
    rows: values.rows === undefined ? rows : values.rows.split(",").flatMap((name) => rowsNamed(rows, name)),
    modules: sides,
    sides: values.sides?.split(",").map((name) => oneOf(Object.keys(sides), name)),
    classes: values.class?.split(",").map((name) => oneOf(known, name)),
    runs,
    quick: values.quick,
    profiles: values.profiles,
    node: process.env["PQ_BENCH_NODE"],
  };
}

/** `drain` stands for `drain-c1`, `drain-c10`, … */
function rowsNamed(rows: readonly Row[], name: string): readonly Row[] {
  const named = rows.filter(({ id }) => id === name || id.startsWith(`${name}-`));
  if (named.length === 0) throw new RangeError(`no row "${name}"; there are ${rows.map(({ id }) => id).join(", ")}`);
  return named;
}

function oneOf<T extends string>(known: readonly T[], name: string): T {
  const found = known.find((one) => one === name);
  if (found === undefined) throw new RangeError(`"${name}" is none of ${known.join(", ")}`);
  return found;
}
