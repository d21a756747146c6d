/**
 * What a store can do, as data: flags and numbers, frozen, importable without a server.
 * Core checks limits against it before sending; the conformance suite skips rules by it and by nothing else.
 */
export interface Capabilities {
  /** Largest payload of one job, in bytes. Default 1 MiB. */
  readonly maxPayload: number;
  /** Most jobs that one put stores atomically. Default 10,000. */
  readonly maxBatch: number;
  /** Most payload bytes that one put stores atomically. Default 16 MiB. */
  readonly maxBatchBytes: number;
  /** The longest queue name, key or group, in bytes of UTF-8. 255 on every store. */
  readonly maxName: number;
  /** The step of the store's clock, in milliseconds: times are exact up to this. Default 1. */
  readonly timePrecision: number;
  /** The most that a due job, an expired lease or a TTL is late while somebody takes or waits, in milliseconds. Default 100. */
  readonly lateness: number;
  /** How far back a repeated call is recognised by its request id: so long, and so many calls of a queue, whichever ends first. Default 60,000 ms and 10,000 calls. */
  readonly repeatWindow: { readonly ms: number; readonly calls: number };
  /** Is `key` supported? Default true. */
  readonly keys: boolean;
  /** Is `group` supported? Default true. */
  readonly groups: boolean;
  /** Is `keepResult` supported? Default true. */
  readonly results: boolean;
  /** Is `maxSize` supported? Default true. */
  readonly capacity: boolean;
  /** May several connections (backend objects) use one store at a time? Default true. */
  readonly shared: boolean;
  /**
   * Does a lease go on when the connection it was taken on is closed, so that its proof settles it on another? Default true.
   * False where the store ties leases to connections: then jobs come back as soon as their holder's connection is closed or dead.
   */
  readonly leasesOutliveConnections: boolean;
  /** Does the store understand `PutParams.after`? Then core keeps two puts of a queue in flight, so that client and server work at once. Default false. */
  readonly chainedPuts: boolean;
  /** Does a put take part in a transaction of the user's (`PutParams.transaction`)? Then `session` is allowed in put options. Default false. */
  readonly transactions: boolean;
}

const DEFAULTS: Capabilities = {
  maxPayload: 1024 * 1024,
  maxBatch: 10_000,
  maxBatchBytes: 16 * 1024 * 1024,
  maxName: 255,
  timePrecision: 1,
  lateness: 100,
  repeatWindow: { ms: 60_000, calls: 10_000 },
  keys: true,
  groups: true,
  results: true,
  capacity: true,
  shared: true,
  leasesOutliveConnections: true,
  chainedPuts: false,
  transactions: false,
};

/** The capabilities of a store: what is given here over the defaults, frozen. A later flag gets its default by itself. */
export function defineCapabilities(differences: Partial<Capabilities> = {}): Capabilities {
  const all = { ...DEFAULTS, ...differences };
  return Object.freeze({ ...all, repeatWindow: Object.freeze({ ...all.repeatWindow }) });
}
