import { resolve } from "node:path";
import { type Clock, systemClock } from "@pq/core/backend";

/** Options of `file()`. */
export interface FileOptions {
  /** The folder of the store; made when it is not there. One folder holds any number of queues, and is owned by one process at a time. */
  readonly path: string;
  /**
   * What an accepted job survives. `"disk"` (default): power failure; each group of writes is synced.
   * `"process"`: the death of the process; flushing to disk is left to the system.
   */
  readonly durability?: "disk" | "process";
  /** Bytes after which the log goes on in a new file, 64 KiB .. 1 GiB. Default 32 MiB. */
  readonly segmentBytes?: number;
  /** Bytes kept on disk so that jobs can be settled when the disk is full; 0 for none. Default 1 MiB. */
  readonly reserveBytes?: number;
  /** The store's clock, for tests. */
  readonly clock?: Clock;
}

/** Options with everything filled in. */
export type ResolvedOptions = Required<FileOptions>;

const KIB = 1024;

/** Check the options and fill in the defaults. Throws `TypeError` and `RangeError`. */
export function resolveOptions(options: string | FileOptions): ResolvedOptions {
  const given = typeof options === "string" ? { path: options } : options;
  if (typeof given?.path !== "string" || given.path === "") throw new TypeError("file() needs the path of a folder");
  const durability = given.durability ?? "disk";
  if (durability !== "disk" && durability !== "process") throw new TypeError('durability must be "disk" or "process"');
  return {
    path: resolve(given.path),
    durability,
    segmentBytes: inRange("segmentBytes", given.segmentBytes ?? 32 * KIB * KIB, 64 * KIB, KIB * KIB * KIB),
    reserveBytes: inRange("reserveBytes", given.reserveBytes ?? KIB * KIB, 0, KIB * KIB * KIB),
    clock: given.clock ?? systemClock,
  };
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} must be an integer from ${least} to ${most}`);
}
