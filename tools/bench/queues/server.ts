/** The server of one row: started for it, emptied before each run, and asked what the run cost it. */
import type { Figures } from "./spec.ts";

/** What the calls of one command cost. */
export interface CommandCost {
  readonly calls: number;
  /** Their time on the server, where it tells. */
  readonly us?: number;
}

/** What a run cost the server. */
export interface ServerCost {
  readonly figures: Figures;
  /** By command. */
  readonly commands: Readonly<Record<string, CommandCost>>;
}

/** A server that is measured. */
export interface Server {
  /** For the report: `Redis 7.0.15`. */
  readonly title: string;
  readonly url: string;
  /** Remove everything. */
  empty(): Promise<void>;
  /** A run begins. */
  begin(): Promise<void>;
  /** What it cost since `begin`. */
  end(): Promise<ServerCost>;
  /** How many bytes it holds more than at `begin`. */
  grown(): Promise<number>;
  /** What it holds, looked at closely: for rows that are `weighed`. */
  weigh?(): Promise<Figures>;
  close(): Promise<void>;
}
