/** The rows of a report: what is measured, for whom, and how durable. */
import type { DurabilityClass, Shape, SideName } from "./spec.ts";

/** A figure that a row is about. */
export interface Measure {
  readonly figure: string;
  readonly title: string;
  readonly better: "more" | "less";
  readonly digits: number;
}

/** One row. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly shape: Shape;
  /** How many jobs; `auto`: a window of at least 3 s or 50,000 jobs, by the speed of the side. */
  readonly jobs: number | "auto";
  /** The fewest jobs of a run when their number is `auto`. Default 500. */
  readonly least?: number;
  readonly sides: readonly SideName[];
  readonly classes: readonly DurabilityClass[];
  /** The fastest documented settings; otherwise everybody's defaults. */
  readonly tuned: boolean;
  readonly measures: readonly Measure[];
  /** Look at the server's memory again after so many seconds. */
  readonly later?: number;
  /** Ask the server what it holds at the end of a run, which takes long. */
  readonly weighed?: boolean;
  /** A run takes so long that there is one round of it, and none to warm up. */
  readonly long?: boolean;
}

/** Jobs in a second. */
export const RATE: Measure = { figure: "rate", title: "jobs/s", better: "more", digits: 0 };
/** Of latencies or lateness. */
export const P50: Measure = { figure: "p50", title: "p50 ms", better: "less", digits: 2 };
/** Of latencies or lateness. */
export const P99: Measure = { figure: "p99", title: "p99 ms", better: "less", digits: 2 };
/** Of the whole run. */
export const SERVER_COMMANDS: Measure = {
  figure: "serverCommands",
  title: "server commands",
  better: "less",
  digits: 0,
};
/** Of the whole run. */
export const CLIENT_CPU: Measure = { figure: "clientCpuUs", title: "client CPU µs", better: "less", digits: 0 };

/** How deep the queues of backlog rows are. */
export const DEPTHS = [1_000, 10_000, 100_000, 1_000_000] as const;
