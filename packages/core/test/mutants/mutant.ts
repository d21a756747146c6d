import type { Backend } from "../../src/backend.ts";
import type { ReferenceQueue } from "../../src/testing/reference/queue.ts";

/** The reference store with one thing wrong. The rule it names must fail on it, or the rule proves nothing. */
export interface Mutant {
  /** The id of the rule that must fail. */
  readonly rule: string;
  /** What is wrong, in a few words: "gives the attempt back on fail". */
  readonly bug: string;
  /** A queue with one step broken: usually a subclass of `ReferenceQueue` that overrides one method. */
  readonly queue?: () => ReferenceQueue;
  /** Or a connection with one call broken. */
  readonly wrap?: (backend: Backend) => Backend;
  /** Or a client of the store that does the wrong thing when its connection fails: outside the faults, where `wrap` is inside. */
  readonly client?: (backend: Backend) => Backend;
}
