/** What a client and its team tell each other: plain data. */
import type { Counts } from "../audit.ts";
import type { RunSpec } from "../spec.ts";

/** What a client asks of a member, one at a time. */
export type TeamRequest =
  /** Connect so many workers for a run. Answered by `ready`. */
  | { readonly type: "prepare"; readonly spec: RunSpec; readonly workers: number }
  /** Answered by `progress`, again and again. */
  | { readonly type: "start" }
  /** Close everything. Answered by `finished`. */
  | { readonly type: "finish" };

/** What a member has found out in a run. */
export interface Findings {
  readonly counts: Counts;
  /** When each job came, by `monotonic`. */
  readonly got: Float64Array;
}

/** What a member tells. */
export type TeamReply =
  | { readonly type: "ready" }
  /** Since its start: jobs whose end is confirmed, and the time of a processor that it has used. */
  | { readonly type: "progress"; readonly acked: number; readonly cpuUs: number }
  | ({ readonly type: "finished" } & Findings)
  | { readonly type: "failed"; readonly error: string };
