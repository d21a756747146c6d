import type { Backend } from "../backend.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Queue, QueueOptions } from "../queue.ts";
import type { FaultName, TestStore } from "./harness.ts";

/** The promises of the contract, and its sections that make more: each rule proves one of them. */
export type PromiseName =
  | "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P9" | "P10" | "P11" | "P12" | "P13" | "P14"
  | "states" | "order" | "api" | "seam"; // prettier-ignore

/** What a store must be able to do for a rule to apply. */
export interface Needs {
  /** A capability that must be true. */
  readonly capability?: {
    [name in keyof Capabilities]: Capabilities[name] extends boolean ? name : never;
  }[keyof Capabilities];
  /** Faults that the harness must be able to cause. */
  readonly faults?: readonly FaultName[];
}

/** One rule of the suite, as data. */
export interface Rule {
  /** Stable: `<concern>.<what>`, such as `lease.late-ack-is-lost`. */
  readonly id: string;
  /** One sentence that is true of a right backend. */
  readonly title: string;
  /** What it proves. */
  readonly promise: PromiseName;
  readonly needs?: Needs;
  /** Rejects when the backend breaks the rule. Asserts with `node:assert/strict`, so that any test runner can run it. */
  readonly run: (t: RuleContext) => Promise<void>;
}

/** What a rule works with. Everything that it opened is closed after it, also when it failed. */
export interface RuleContext {
  readonly store: TestStore;
  /** An open backend with a connection of its own: for races, faults and the seam itself. */
  backend(): Promise<Backend>;
  /** A queue as users hold it, on a connection of its own unless `options.backend` says otherwise. The default name is `q`. */
  queue<T = unknown>(name?: string, options?: Partial<QueueOptions<T>>): Queue<T>;
  /** Let time pass for store and clients. */
  pass(ms: number): Promise<void>;
  /** Try until it no longer throws, for at most 5 s of real time; time on the store's clock passes only by itself. Gives what `check` returns. */
  eventually<R>(check: () => R | Promise<R>): Promise<R>;
}
