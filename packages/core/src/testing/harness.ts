/** What an author of a backend supplies to run the suite, and what a rule gets to work with. */
import type { Backend } from "../backend.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Clock } from "../clock.ts";

/** A store under test. The suite opens a new, empty one for each rule. */
export interface Harness {
  /** The name in test titles, such as `redis 7.0`. */
  readonly name: string;
  /** The constant that the backend exports: it alone decides which rules apply. */
  readonly capabilities: Capabilities;
  /** Faults that this harness cannot cause, each with the reason that the report shows. */
  readonly missingFaults?: Partial<Record<FaultName, string>>;
  /** Why there are no transactions here, though `capabilities.transactions` is true (a server that has none, say); the report shows it. */
  readonly missingTransactions?: string;
  /** A store of its own: a new prefix, database or folder. */
  open(): Promise<TestStore>;
}

/** One isolated store. */
export interface TestStore {
  /**
   * A backend with a connection of its own to this store; all of them see the same queues.
   * A store that is not `shared` gives the same object each time. The rule opens and closes it through what it tests.
   */
  connect(): Backend;
  /** The clock for queues and workers under test: the system's, or the manual one that also drives the store. */
  readonly clock: Clock;
  /** Let time pass for the store and the clients: really wait, or advance the manual clock. */
  pass(ms: number): Promise<void>;
  /** Those that `missingFaults` does not name. */
  readonly faults: Faults;
  /**
   * Run `work` in a transaction, with a session that puts on this backend can be part of. Commit when it resolves. When it rejects, abort, and
   * reject with the same error. Needed when `capabilities.transactions` is true, unless `missingTransactions` says why it is not there.
   */
  readonly transaction?: (backend: Backend, work: (session: object) => Promise<void>) => Promise<void>;
  /** Remove everything. All backends of the store are closed by the suite before. */
  close(): Promise<void>;
}

/** The things that go wrong. */
export interface Faults {
  /** The next call of any connection reaches the store and is applied, but its reply is lost and the connection cut. Heals by itself. */
  loseReply?(): void;
  /** The next call of any connection does not reach the store; the connection is cut. Heals by itself. */
  loseRequest?(): void;
  /** Cut all connections now; the next call connects again. */
  cut?(): void;
  /** From now on nothing passes in either direction, and nobody is told, until the returned function is called. */
  halfOpen?(): () => void;
  /** Stop the server as SIGSTOP does, until the returned function is called. */
  pause?(): () => void;
  /** Kill the server with SIGKILL and start it again on the same data; resolves when it takes connections. A store inside the process drops everything that it did not keep and opens again. */
  restart?(): Promise<void>;
}

/** The name of a fault. */
export type FaultName = keyof Faults;
