/** What a run is told on the command line. */
import { parseArgs } from "node:util";
import { type BugName, bugs } from "./client/bugs.ts";
import type { StoreName } from "./store.ts";
import { stores } from "./stores/index.ts";

/** A run. */
export interface RunOptions {
  readonly store: StoreName;
  readonly flavour: string | undefined;
  /** At least so many faults that cut connections, and so many SIGKILLs of the server. */
  readonly cuts: number;
  readonly restarts: number;
  /** Faults go on for at least so many seconds. */
  readonly seconds: number;
  readonly seed: number;
  readonly weak: boolean;
  readonly bug: BugName | undefined;
  /** Write a report to this file; the figures, as JSON, to that; keep the histories in this folder. */
  readonly report: string | undefined;
  readonly json: string | undefined;
  readonly keep: string | undefined;
}

/** For people. */
export const usage: string = `node tools/run.mjs faults <${Object.keys(stores).join("|")}> [--cuts 60] [--restarts 12] [--seconds 0] [--seed n]
  [--flavour redis|valkey] [--weak] [--bug <name>] [--report <file>] [--json <file>] [--keep <folder>]

  --weak  settings that lose accepted jobs: the run must find losses
  --bug   a mistake on purpose, which the run must find: ${bugs.join(", ")}`;

/** Read them. Throws a TypeError or RangeError that says what is wrong. */
export function readArguments(words: readonly string[]): RunOptions {
  const text = { type: "string" } as const;
  const options = {
    cuts: text,
    restarts: text,
    seconds: text,
    seed: text,
    flavour: text,
    bug: text,
    report: text,
    json: text,
    keep: text,
  };
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { ...options, weak: { type: "boolean" } },
  });
  const [store = ""] = positionals;
  if (!Object.hasOwn(stores, store)) throw new TypeError(`there is no store "${store}"`);
  const { bug } = values;
  if (bug !== undefined && !bugs.includes(bug as BugName)) throw new TypeError(`there is no bug "${bug}"`);
  return {
    store: store as StoreName,
    flavour: values.flavour,
    cuts: numberOf(values.cuts ?? "60", "cuts"),
    restarts: numberOf(values.restarts ?? "12", "restarts"),
    seconds: numberOf(values.seconds ?? "0", "seconds"),
    seed: numberOf(values.seed ?? String(Math.floor(Math.random() * 1e9)), "seed"),
    weak: values.weak ?? false,
    bug: bug as BugName | undefined,
    report: values.report,
    json: values.json,
    keep: values.keep,
  };
}

function numberOf(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`--${name} must be a whole number, not "${text}"`);
}
