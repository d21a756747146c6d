/** A suite: one store, who is measured on it, in which rows, and what is to be reached. All that the harness needs to know of it. */
import type { Verdict } from "./goals.ts";
import type { RowResult } from "./results.ts";
import type { Row } from "./row.ts";
import type { Server } from "./server.ts";
import type { DurabilityClass, SideName } from "./spec.ts";

/** See above. */
export interface Suite {
  /** The word of the command line and the file name of the report. */
  readonly name: string;
  /** In the order of the report. */
  readonly rows: readonly Row[];
  /** The durability classes that are measured, and what they mean on this store. */
  readonly classes: Readonly<Partial<Record<DurabilityClass, string>>>;
  /** The address of each side's module, which exports `side(): Promise<Side>`. The clients import it. */
  readonly sides: Readonly<Record<SideName, string>>;
  /** What the report begins with: what figures of these servers say, and what they do not. */
  preface(results: readonly RowResult[]): readonly string[];
  /** What the report says of the server besides its version. */
  readonly serverNote: string;
  /** What is to be read with the figures, one line each. */
  readonly notes: readonly string[];
  /** The durability classes of the servers that are to be had here. */
  offered(): Promise<readonly DurabilityClass[]>;
  /** Starts an empty server. */
  start(durability: DurabilityClass): Promise<Server>;
  /** Every goal with its verdict. */
  verdicts(results: readonly RowResult[]): Verdict[];
}
