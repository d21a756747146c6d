/**
 * THE seam between core and a store. Types only.
 *
 * Users never call a backend; core does, through its guard. Core has validated, defaulted, encoded and batched
 * everything before it comes here: a backend receives exact values and contains no policy.
 *
 * What holds for every method
 * - **Concurrency.** Every method may be called while others are running, on one backend and on many.
 * - **Atomicity.** A put is one atomic step of the store: all of its effect or none, also with a crash in its middle. In every other call the
 *   change of each job is one atomic step, together with what it counts and with the memory of the request that made it; so is a pause. A store
 *   may work such a call off job by job: broken off, it has happened to some of them, and its repetition does the rest and answers for all as
 *   one undisturbed call would have. Calls that run at the same time may see each other's jobs partly done. What a call reports is what it did.
 * - **Clock.** Due times, TTLs and leases are judged by the store's clock. A call behaves as though every transition
 *   that was due by then had happened before it: a job whose time has come is ready, a lease that ran out is over.
 *   Where more of them are due than one call can work off, what a job by itself shows (settle, touch, read by id) is still exact;
 *   counts, lists and order may be behind until later calls have worked off the rest.
 * - **Repetition.** `request` names the call. Core repeats a call whose reply was lost with the same `request`; within
 *   `capabilities.repeatWindow` the store answers as it did the first time and changes nothing but what was left when that was broken off. Of a dig or delete
 *   the jobs that were left as they were may be decided anew.
 *   After a restart of the store, a call that had changed nothing may be answered anew.
 * - **Errors.** Reject with `PqError` and nothing else: `UNAVAILABLE` when certainly nothing of the call was applied, `OUTCOME_UNKNOWN` when
 *   some of it was or may have been, any other code when it was refused before anything was changed. Do not retry; the guard does.
 *   After `close()`, reject with `CLOSED`.
 * - **Time.** A call never waits for jobs (only `wait` does). Settle by your own deadline when the client library does not;
 *   the guard gives up at its own, whatever happens here.
 * - **Arrays.** Results stand in the order of the parameters. Do not keep or change parameters after the call settled.
 */
import type { Capabilities } from "./capabilities.ts";
import type { DeliveredJob, JobId, JobState, LeaseProof, NewJob, RequestId, StoredJob } from "./job.ts";

/** What an accepted put has survived, from weak to strong: nothing, the death of the process, of the machine, of a minority of machines. */
export type Durability = "memory" | "process" | "disk" | "majority";

/** What the store promises with the settings it really has, read when it opens. */
export interface Guarantees {
  readonly durability: Durability;
  /** The store and its version, such as `Redis 7.0.15`; never an address with secrets. */
  readonly store: string;
  /** One sentence for each setting that weakens the promises, naming it and its remedy. */
  readonly warnings: readonly string[];
}

/** Something an operator should know that no call reports. */
export type BackendEvent =
  /** Stored data was damaged; it was put aside and harms no other job. */
  | { readonly type: "damage"; readonly message: string; readonly queue?: string; readonly where?: string }
  /** The connection went, or came back. */
  | { readonly type: "disconnected" | "reconnected"; readonly message: string }
  /** A setting became weak after opening. */
  | { readonly type: "warning"; readonly message: string };

/** Parameters of `open`. */
export interface OpenParams {
  /** Takes events as they happen, also after `open` has resolved. Does not throw. */
  readonly report: (event: BackendEvent) => void;
}

/** Parameters of `put`. */
export interface PutParams {
  readonly request: RequestId;
  /**
   * Another put of this queue, still in flight, that must be carried out before this one. When the store has answered neither that
   * request nor this one: reject with `UNAVAILABLE` and change nothing. Core asks again, with `null` once the other has ended.
   * Any answer counts, also one of duplicates and full only. Always `null` without `capabilities.chainedPuts`.
   */
  readonly after: RequestId | null;
  readonly queue: string;
  /** 1 .. `capabilities.maxBatch` jobs with distinct ids. */
  readonly jobs: readonly NewJob[];
  /** Most jobs that may be ready, delayed and leased together; `null`: no limit. */
  readonly maxSize: number | null;
  /** With room for only some: `true` stores those from the front of the array and answers `full` for the rest; `false` stores none and answers `full` for all. */
  readonly partial: boolean;
  /**
   * A transaction of the user's that this put is to be part of, as the store's client knows it (a `ClientSession` of MongoDB); opaque to core.
   * The jobs are there, for whoever looks, takes or waits, if and only if it commits; of one that does not, nothing is left. Outcomes are
   * decided now, by what the transaction sees; where another is quicker to take a key, an id or room, the transaction fails.
   * `INVALID_STATE`, storing nothing, when none is under way (any more). Core makes such a call once and never repeats it, and passes
   * the `cause` of an `UNAVAILABLE` or `OUTCOME_UNKNOWN` on to the user: name the client's own error there.
   * `null`: none. Always `null` without `capabilities.transactions`.
   */
  readonly transaction: object | null;
}

/**
 * What became of one job of a put. `duplicate` carries the id of the live job that holds the key, or the job's own
 * id when a job of that id is in the queue already (in any state); either way nothing was stored for it.
 */
export type PutOutcome =
  | { readonly status: "added" }
  | { readonly status: "duplicate"; readonly id: JobId }
  | { readonly status: "full" };

/** Parameters of `take`. */
export interface TakeParams {
  readonly request: RequestId;
  readonly queue: string;
  /** At least 1. */
  readonly limit: number;
  /** The lease of jobs that bring none of their own, in milliseconds. */
  readonly lease: number;
}

/** What to do with one leased job. */
export type Settlement = LeaseProof &
  (
    | /** Done. The job is gone, or `done` with its result for `keepResult`. */ {
        readonly type: "ack";
        readonly result: Uint8Array | null;
      }
    | /** Give back unharmed: the attempt does not count. Ready after `delay` ms, before the undelivered jobs of its priority. */ {
        readonly type: "release";
        readonly delay: number;
      }
    | /** Give back to the end of its priority: the attempt does not count. An urgent job is no longer urgent. */ {
        readonly type: "requeue";
      }
    | /** The attempt failed. With attempts left: back after `delay` ms, as `release`. With none: buried as `failed`. */ {
        readonly type: "fail";
        readonly delay: number;
        readonly error: string;
      }
    | /** Bury as `buried`, whatever attempts are left. */ { readonly type: "bury"; readonly error: string | null }
  );

/** What became of one settlement: the state after it, or `lost` when `(id, fence)` is not the newest valid lease (nothing was changed). */
export type SettleOutcome = "gone" | JobState | "lost";

/** Parameters of `settle`. */
export interface SettleParams {
  readonly request: RequestId;
  readonly queue: string;
  /** At least one, each job at most once. */
  readonly items: readonly Settlement[];
}

/** One lease to extend. */
export interface Touch extends LeaseProof {
  /** The lease lasts so many milliseconds from now; never shorter than it would have. */
  readonly lease: number;
  /** Stored with the job; `null` leaves what is there. */
  readonly progress: Uint8Array | null;
}

/** Parameters of `touch`. */
export interface TouchParams {
  readonly request: RequestId;
  readonly queue: string;
  readonly items: readonly Touch[];
}

/** Parameters of `wait`. */
export interface WaitParams {
  readonly queue: string;
  /** Resolve after so many milliseconds at the latest. */
  readonly timeout: number;
  /** Resolve, not reject, when it aborts. */
  readonly signal: AbortSignal;
}

/** Parameters of `read`: certain jobs, or a page of one state. */
export type ReadParams =
  | { readonly queue: string; readonly ids: readonly JobId[] }
  | {
      readonly queue: string;
      readonly state: JobState;
      readonly limit: number;
      /** Where the page before this one ended; `null` for the first. */
      readonly cursor: string | null;
    };

/** A page of jobs. */
export interface ReadResult {
  /**
   * By ids: those that exist, in the order asked for. By state: ready jobs in the order of their places, delayed ones by due time,
   * leased ones by the end of the lease, buried and done ones in the order they came there. While the queue changes,
   * pages may miss or repeat jobs that moved meanwhile.
   */
  readonly jobs: readonly StoredJob[];
  /** Where to go on; `null` after the last page, and always by ids. */
  readonly cursor: string | null;
}

/** Parameters of `control`. */
export type ControlParams = { readonly request: RequestId; readonly queue: string } & (
  | /** Make the `limit` longest buried jobs ready: at the end of their priority, with fresh attempts. May be done in bounded steps, the longest buried first. */ {
      readonly type: "kick";
      readonly limit: number;
    }
  | /** The same for certain buried jobs. */ { readonly type: "dig"; readonly ids: readonly JobId[] }
  | /** Remove certain jobs in whatever state; their holders have lost their leases. */ {
      readonly type: "delete";
      readonly ids: readonly JobId[];
    }
  | /** Remove every job in every state. Counters stay. May be done in bounded steps: no job put after the call began is removed. */ {
      readonly type: "truncate";
    }
  | /** Give nothing out until `resume`, also after a restart. Puts and settlements go on. */ {
      readonly type: "pause";
    }
  | { readonly type: "resume" }
);

/** What `control` did. */
export interface ControlResult {
  /** Jobs changed. 0 for pause and resume. */
  readonly count: number;
  /** One for each id of `dig` and `delete`; empty for the others. */
  readonly outcomes: readonly ("done" | "not-found" | "invalid-state")[];
}

/** What was counted since the queue was created. Each counts jobs, not calls. */
export interface Counters {
  readonly put: number;
  /** Those of `put` that were urgent. */
  readonly urgent: number;
  readonly take: number;
  readonly ack: number;
  readonly release: number;
  readonly requeue: number;
  readonly fail: number;
  /** Buried for whatever reason. */
  readonly bury: number;
  readonly kick: number;
  readonly dig: number;
  /** Removed by delete and truncate. */
  readonly delete: number;
  readonly touch: number;
  /** Ended by their TTL. */
  readonly expired: number;
  readonly leaseExpired: number;
  /** Puts answered `duplicate`. */
  readonly duplicate: number;
}

/** Jobs by state, and the counters. Counters are exact while the store runs and after an orderly restart; a crash may lose the last second of them. */
export interface QueueStats {
  readonly ready: number;
  readonly delayed: number;
  readonly leased: number;
  readonly buried: number;
  readonly done: number;
  readonly paused: boolean;
  readonly counters: Counters;
}

/** A store. See the head of this file for what holds for all of its methods. */
export interface Backend {
  /** Short and lower case, such as `redis`: for messages and traces. */
  readonly name: string;
  readonly capabilities: Capabilities;

  /**
   * Connect, check the settings, install what the store needs, refuse a newer stored format (`INCOMPATIBLE_VERSION`).
   * Idempotent: a second call while open or opening gives the same answer. After `close()` it opens again.
   */
  open(params: OpenParams): Promise<Guarantees>;

  /** Let calls in flight settle, then disconnect what this backend opened (a borrowed client stays open). Idempotent. A running `wait` resolves. */
  close(): Promise<void>;

  /** Store jobs: all of them durable (as `guarantees` says) when it resolves. A queue exists from its first put on. */
  put(params: PutParams): Promise<readonly PutOutcome[]>;

  /**
   * Lease up to `limit` jobs in the order that `docs/design.md` states, raising `attempt` and `fence` of each in the step that leases it.
   * Never waits. On the way it makes due jobs ready and takes back expired leases (burying those without attempts left),
   * a bounded number per call. Gives `[]` for an empty, paused or unknown queue.
   * A take that overlaps with other calls of its queue may pass over a job that those are changing or taking at that moment, and jobs
   * that the store keeps in one piece with it. One that overlaps with none gives exactly the first.
   * So a call may give fewer jobs than there are, or none: after it passed some over, or while more is due than one call works off.
   * `wait` then returns at once.
   * A repeated request gives those of its jobs that are still leased by it, and takes new ones only when it had none.
   */
  take(params: TakeParams): Promise<readonly DeliveredJob[]>;

  /** Settle leased jobs, each by its own proof, checked in the same step. A lease that ran out is lost, taken over or not. */
  settle(params: SettleParams): Promise<readonly SettleOutcome[]>;

  /** Extend leases and store progress, each by its own proof. A lease that ran out is lost. `true`: extended. */
  touch(params: TouchParams): Promise<readonly boolean[]>;

  /**
   * Resolve when a job of the queue may be ready: at once when one is; later by a put, a return, a kick, a resume, a due
   * time, a lease that ran out, or a group that became free. A hint: it may also resolve for no reason, though not in a busy loop.
   * n jobs becoming ready wake n waiters (or all there are), not all for one job. Core calls it once at a time for each queue and process.
   * A paused queue has no ready jobs. Never rejects for an abort.
   */
  wait(params: WaitParams): Promise<void>;

  /** Look without leasing. A job whose TTL has run out is not there. */
  read(params: ReadParams): Promise<ReadResult>;

  /** Operators' commands. */
  control(params: ControlParams): Promise<ControlResult>;

  /** All zero for an unknown queue. Costs no more for more jobs; at most for more pieces (pages, batches) in which the store keeps them. */
  stats(queue: string): Promise<QueueStats>;

  /** The names of the queues that ever had a job, in any order. */
  queues(): Promise<readonly string[]>;
}
