/** What a run needs to know of a store. A new backend is a file in stores/ and a line in stores/index.ts and client/backends.ts. */
import type { Backend } from "@pq/core/backend";
import type { FaultProxy } from "@pq/core/testing";

/** How a client process reaches the store: plain data, since it goes to another process. */
export interface Place {
  readonly store: StoreName;
  readonly host: string;
  readonly port: number;
  /** Who comes, where the store asks for that. */
  readonly user?: string;
  readonly password?: string;
}

/** The stores there are. */
export type StoreName = "mongo" | "redis" | "tarantool" | "zk";

/** What is wanted of a store. */
export interface StoreOptions {
  readonly flavour: string | undefined;
  /** Settings that lose what was accepted: the control that shows that the checks see it. */
  readonly weak: boolean;
  /** Where to leave its data at the end, if anywhere: a store may. */
  readonly keep: string | undefined;
}

/** A server of the run's own. */
export interface Store {
  /** Such as `Redis 7.0.15`. */
  readonly version: string;
  /** How it was set up, for the report. */
  readonly setup: string;
  /** Jobs a second of each producer, about. */
  readonly rate: number;
  /** So many times as long as with the quickest store pass between two faults: 1 or more. */
  readonly pace: number;
  /** Are counters exact also after a crash? */
  readonly exactCounters: boolean;
  /**
   * Where leases are tied to the connections of their holders: for so many ms a holder that nothing is heard of keeps its jobs. Unset: leases outlive
   * connections.
   */
  readonly session?: number;
  /** A proxy of its own for each client. */
  proxy(): Promise<FaultProxy>;
  /** Where a client finds it: through a proxy, or without one. */
  place(proxy?: FaultProxy): Place;
  /** SIGKILL. With weak settings, also what a power cut takes along. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP, until the returned function is called. */
  pause(): () => void;
  /** Faults that only this store knows, by name; `cuts`: connections are lost by it. */
  readonly specials: Readonly<Record<string, { readonly cuts: boolean; readonly run: () => Promise<void> }>>;
  close(): Promise<void>;
}

/** How a client opens it. */
export type Connect = (place: Place) => Promise<Backend>;
