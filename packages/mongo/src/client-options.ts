/**
 * The settings of the driver that this package makes for a client of its own, and those that hold for its collections whatever the client says.
 */
import type { CollectionOptions, MongoClientOptions } from "mongodb";

/**
 * Defaults for a client of our own, from the time that one call of the seam may take, in ms.
 *
 * Choosing a server takes a quarter of it at the most and getting a connection three quarters, so that a call that could not be sent ends as
 * such, and not by its own deadline, which leaves open what was sent. A connection that says nothing is given up when its call is.
 */
export function defaultsFor(commandTimeout: number): MongoClientOptions {
  return {
    appName: "pq",
    // Also the time to find all servers of a deployment at first, which takes what it takes.
    serverSelectionTimeoutMS: between(1000, commandTimeout / 4, 2000),
    connectTimeoutMS: between(1000, commandTimeout / 2, 10_000),
    waitQueueTimeoutMS: between(50, 0.75 * commandTimeout, 10_000),
    socketTimeoutMS: commandTimeout,
    // A server that has gone silent is noticed after the two of heartbeat and connectTimeoutMS, and its connections are left.
    heartbeatFrequencyMS: between(250, commandTimeout / 2, 1000),
    // How long a call may wait after a lost connection. With the driver's 500 it was half a second, with this some 10 ms.
    minHeartbeatFrequencyMS: 50,
  };
}

/** Whatever the user says: the core repeats calls, by their request ids. */
export const FORCED: MongoClientOptions = { retryWrites: false, retryReads: false };

/** For each of our collections, also with a borrowed client: nothing of this is taken from the client. */
export function collectionOptions(commandTimeout: number): CollectionOptions {
  return {
    // It times out before the call does, so that the server says what is missing.
    writeConcern: { w: "majority", journal: true, wtimeoutMS: Math.ceil(commandTimeout * 0.75) },
    // A write that was decided by what was read comes after it, so a majority has both or neither.
    readConcern: { level: "local" },
    readPreference: "primary",
    raw: false,
    promoteValues: true,
    promoteLongs: true,
    promoteBuffers: false,
    useBigInt64: false,
    bsonRegExp: false,
    ignoreUndefined: false,
    serializeFunctions: false,
  };
}

function between(least: number, value: number, most: number): number {
  return Math.round(Math.min(Math.max(value, least), most));
}
