import { parseArgs } from "node:util";
import { type Row, rows } from "./rows.ts";
import type { DurabilityClass } from "./server.ts";
import type { SideName } from "./spec.ts";
import type { MeasureOptions } from "./measure.ts";

/** The words of the command line, understood. */
export interface Args extends MeasureOptions {
  readonly rows: readonly Row[];
  readonly classes: readonly DurabilityClass[];
}

const SIDES: readonly SideName[] = ["pq", "memory", "bullmq", "bee", "boringnode", "raw"];
const CLASSES: readonly DurabilityClass[] = ["D0", "D2"];

/** Throws a `TypeError` or `RangeError` that says what is wrong with them. */
export function parse(words: readonly string[]): Args {
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
  if (!Number.isInteger(runs) || runs < 1) throw new RangeError(`--runs ${values.runs}: a number of rounds from 1`);
  return {
    rows: values.rows === undefined ? rows : values.rows.split(",").flatMap(rowsNamed),
    sides: values.sides?.split(",").map((name) => oneOf(SIDES, name)),
    classes: values.class?.split(",").map((name) => oneOf(CLASSES, name)) ?? CLASSES,
    runs,
    quick: values.quick,
    profiles: values.profiles,
    node: process.env["PQ_BENCH_NODE"],
  };
}

/** `drain` stands for `drain-c1`, `drain-c10`, … */
function rowsNamed(name: string): readonly Row[] {
  const named = rows.filter(({ id }) => id === name || id.startsWith(`${name}-`));
  if (named.length === 0) throw new RangeError(`no row "${name}"; there are ${rows.map(({ id }) => id).join(", ")}`);
  return named;
}

function oneOf<T extends string>(known: readonly T[], name: string): T {
  const found = known.find((one) => one === name);
  if (found === undefined) throw new RangeError(`"${name}" is none of ${known.join(", ")}`);
  return found;
}
