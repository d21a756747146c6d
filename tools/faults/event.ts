/**
 * The history of a run: what each process wrote down, one line of JSON for each event, at the moment it happened. Times (`at`) are
 * those of `now()`: milliseconds on the monotonic clock that the processes share.
 *
 * A call has a line when it begins, with a number of its own, and an `end` of the same number when it settles.
 */

/** A job as its producer knows it. */
export interface PutJob {
  readonly id: string;
  readonly maxAttempts: number;
  /** In ms. */
  readonly delay?: number;
  readonly key?: string;
  readonly group?: string;
}

/** A call that begins. `deadline`: ms until it must have settled; `null` where the library calls by itself. */
interface Begins {
  readonly at: number;
  readonly call: number;
  readonly deadline: number | null;
}

/** put, urgent or putMany. */
export type Put = Begins & { readonly type: "put"; readonly jobs: readonly PutJob[] };

/** How a job is settled. */
export type How = "ack" | "release" | "requeue" | "fail" | "bury";

/** A job is settled by the holder of this fence; `delay`: ms until it may come back, for release and fail. */
export type Settle = Begins & {
  readonly type: "settle";
  readonly id: string;
  readonly fence: number;
  readonly how: How;
  readonly delay: number;
};

/** Any other call. */
export type Query = Begins & { readonly type: "query"; readonly name: string };

/** What became of a call: `lost` is LEASE_LOST; `refused` any error that says nothing was applied. */
export type Outcome = "ok" | "lost" | "unknown" | "refused";

/** A call has settled. `duplicates`: for a put, the ids that were not stored, and the id that was told instead. */
export interface End {
  readonly type: "end";
  readonly at: number;
  readonly call: number;
  readonly outcome: Outcome;
  readonly code?: string;
  readonly duplicates?: Readonly<Record<string, string>>;
}

/** A job is in a consumer's hands. */
export interface Deliver {
  readonly type: "deliver";
  readonly at: number;
  readonly id: string;
  readonly fence: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Are the payload's bytes those that were put? */
  readonly sound: boolean;
  /** Did the library say that the lease is valid? */
  readonly held: boolean;
  /** The lease is valid up to here, as the consumer has measured for itself; 0: it has not. */
  readonly until: number;
}

/** The library said that the lease of this fence is valid. */
export interface Hold {
  readonly type: "hold";
  readonly at: number;
  readonly id: string;
  readonly fence: number;
}

/** What `worker.health()` said. */
interface Health {
  readonly type: "health";
  readonly at: number;
  readonly ok: boolean;
  readonly reason?: string;
}

/** A consumer has stopped its own event loop for so long. */
interface Blocked {
  readonly type: "blocked";
  readonly at: number;
  readonly until: number;
}

/** A process begins, or comes to an orderly end. */
interface Mark {
  readonly type: "hello" | "bye";
  readonly at: number;
}

/** What the conductor did: from `at` to `until`. `process`: to whom, if it was one. */
export interface Fault {
  readonly type: "fault";
  readonly at: number;
  readonly until: number;
  readonly name: string;
  readonly process?: string;
}

/** A process has ended, by whose hand. */
interface Gone {
  readonly type: "gone";
  readonly at: number;
  readonly process: string;
  readonly killed: boolean;
  readonly how: string;
}

/** A part of the run begins. */
export interface Phase {
  readonly type: "phase";
  readonly at: number;
  readonly name: "faults" | "heal" | "drain" | "end";
}

/** A job that is in the store at the end. */
export interface Present {
  readonly type: "present";
  readonly at: number;
  readonly id: string;
  readonly state: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly buryReason: string | null;
}

/** What the store says of itself at the end: jobs by state, and the counters. */
export interface Totals {
  readonly type: "totals";
  readonly at: number;
  readonly states: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
}

/** A line of a client's history. */
type ClientEvent = Put | Settle | Query | End | Deliver | Hold | Health | Blocked | Mark;

/** A line of the conductor's history. */
type ConductorEvent = Fault | Gone | Phase | Present | Totals;

/** Any line. */
export type Event = ClientEvent | ConductorEvent;
