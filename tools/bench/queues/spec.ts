/** What parent and client tell each other: plain data. */
import type { Feature } from "./side.ts";

/** Who takes part, as on the command line: each suite says who there is. Ours is `pq`, the raw primitive `raw`, and other forms of it `raw-…`. */
export type SideName = string;

/** D0: memory only. D1: with the operating system before a write is answered. D2: on disk before that. */
export type DurabilityClass = "D0" | "D1" | "D2";

/** The names of the workloads, one file in `workloads/` for each. */
export type WorkloadName = "put" | "put-many" | "drain" | "team" | "cycle" | "depth" | "latency" | "delayed" | "idle";

/** The shape of a workload; a row says what it needs. */
export interface Shape {
  readonly workload: WorkloadName;
  /** Bytes of a payload as JSON. Default 100. */
  readonly size?: number;
  /** Single puts that wait for their answers at a time. Default 1. */
  readonly inFlight?: number;
  /** Jobs in one call for many. Default 1000. */
  readonly batch?: number;
  /** Handlers at a time. Default 1. */
  readonly concurrency?: number;
  /** Spread over so many priorities. Default 1. */
  readonly priorities?: number;
  /** In so many groups, whose jobs come out one at a time; put group by group. Default: none. */
  readonly groups?: number;
  /** Every so manieth job fails at its first attempt. Default: none. */
  readonly failEvery?: number;
  /** Jobs that are in the queue before the clock starts, besides those that are measured. Default 0. */
  readonly backlog?: number;
  /** The worker is in another process than the producer. */
  readonly apart?: boolean;
  /** Puts per second, whatever the answers do. */
  readonly rate?: number;
  /** The queue is filled by single puts, 100 in flight, and not by calls for many. */
  readonly singly?: boolean;
  /** How many workers, where there are several. Default 1. */
  readonly workers?: number;
  /** Processes that share the workers evenly. Default 1. */
  readonly processes?: number;
  /** How long, where time and not the number of jobs is given. */
  readonly seconds?: number;
  /** After so many seconds the clock is stopped, whatever is left. Default: none. */
  readonly limit?: number;
  /** After so many seconds the filling is given up, and with it the side. Default: none. */
  readonly fillLimit?: number;
}

/** One run of one side. */
export interface RunSpec {
  readonly shape: Shape;
  readonly jobs: number;
  /** The address of the side's module. */
  readonly module: string;
  /** 8 ASCII characters; also the name of the queue. */
  readonly run: string;
  readonly url: string;
  readonly tuned: boolean;
}

/** What a client says of its side. */
export interface Description {
  readonly title: string;
  readonly setup: string;
  readonly missing: Partial<Record<Feature, string>>;
  readonly node: string;
}

/** Figures by name. */
export type Figures = Readonly<Record<string, number>>;

/** What the client measured. */
export interface Timed {
  readonly ms: number;
  readonly figures: Figures;
}

/** What the parent asks, one at a time. */
export type Request =
  | { readonly type: "describe" }
  /** Connect, fill, get ready: outside the clock. */
  | { readonly type: "prepare"; readonly spec: RunSpec }
  /** Run it under the clock. */
  | { readonly type: "go" }
  /** Audit, and close everything. Answers with the problems found. */
  | { readonly type: "finish" };

/** What the client answers. */
export type Reply = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };
