/** What a benchmark leaves behind: plain data, kept as JSON. The report is made of it and of nothing else. */
import type { Row } from "./row.ts";
import type { CommandCost } from "./server.ts";
import type { Description, DurabilityClass, Figures, SideName } from "./spec.ts";

/** One measured run. */
export interface Outcome {
  readonly figures: Figures;
  readonly commands: Readonly<Record<string, CommandCost>>;
  /** What the audit found. Any makes the side's row void. */
  readonly problems: readonly string[];
}

/** One side of a row. */
export interface SideResult extends Description {
  readonly side: SideName;
  /** Why it did not take part, or fell out. */
  readonly absent?: string;
  /** By round: the run on the way up, and the one on the way back. */
  readonly rounds: readonly (readonly [Outcome, Outcome])[];
}

/** One row at one durability. */
export interface RowResult {
  readonly row: Row;
  readonly durability: DurabilityClass;
  readonly server: string;
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly sides: readonly SideResult[];
}

/** What the figures depend on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly disk: string;
  /** Load average of the last minute when the row began. */
  readonly load: number;
}

/** A whole benchmark. */
export interface Results {
  readonly quick: boolean;
  readonly rows: readonly RowResult[];
}
