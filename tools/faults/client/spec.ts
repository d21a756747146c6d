/** What a client process is told. */
import type { Place } from "../store.ts";
import type { BugName } from "./bugs.ts";

/** Its first argument, as JSON. */
export interface ClientSpec {
  readonly role: "producer" | "worker";
  /** Its name in the history, never used twice. */
  readonly name: string;
  readonly place: Place;
  readonly history: string;
  readonly seed: number;
  /** Jobs a second that a producer puts, about. */
  readonly rate: number;
  /** The deadline of its calls, in ms. */
  readonly deadline: number;
  readonly bug: BugName | undefined;
}

/** What it is told while it runs: behave well from now on, or end. */
export type Order = "calm" | "end";

/** The queue of a run. */
export const QUEUE = "faults";
/** The lease of its jobs, in ms. */
export const LEASE = 2000;
/** How long sessions last without a connection, where leases are tied to them, in ms: shorter than a lease, so that both ends come. */
export const SESSION = 1500;
