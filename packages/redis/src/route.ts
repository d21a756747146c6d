/** How calls find their server: one server, or the nodes of a cluster; with connections of our own, or borrowed ones. */
import type { Redis } from "ioredis";
import { PqError, systemClock } from "@pq/core/backend";
import type { Bell } from "./connecting.ts";
import type { Lane } from "./lane.ts";

/** Told when the connection came (`true`) or went. */
export type OnState = (up: boolean, message: string) => void;

/** What every kind of route needs. */
export interface RouteSettings {
  readonly address: string;
  readonly commandTimeout: number;
  readonly onState: OnState;
}

/** The way to the servers. */
export interface Route {
  /** Connect. Rejects within `ms` with the reason, and has given up then. */
  open(ms: number): Promise<void>;
  /** The lane to the server of a key (`null`: any that takes writes), if it can be written to now. */
  lane(key: string | null): Lane | undefined;
  /** The same, waiting for it up to `ms`. Rejects with `UNAVAILABLE`. */
  laneSoon(key: string | null, ms: number): Promise<Lane>;
  /** Lanes to all servers that take writes. */
  lanes(ms: number): Promise<readonly Lane[]>;
  /** A lane that finds the server by itself, for a call that was answered with the address of another one. Only a cluster has it. */
  detour?(): Lane | undefined;
  /** A client of our own, not yet connected, for commands that block: to the server of the key. */
  waiter(key: string): Promise<Redis>;
  /** Let what is in flight end, for a bounded time, and disconnect what is ours. */
  close(): Promise<void>;
}

/** Look again at each ring until something is found, for at most `ms`. */
export async function untilFound<T>(bell: Bell, ms: number, look: () => T | undefined): Promise<T | undefined> {
  const end = systemClock.monotonic() + ms;
  for (;;) {
    const found = look();
    const left = end - systemClock.monotonic();
    if (found !== undefined || left <= 0) return found;
    await bell.wait(left);
  }
}

/** There is no connection; `why`: what the last attempt said. */
export function noConnection(address: string, why: PqError | undefined): PqError {
  return why ?? new PqError("UNAVAILABLE", `there is no connection to ${address}`);
}

/** The connection was closed by its owner. */
export function closedError(): PqError {
  return new PqError("CLOSED", "the connection is closed");
}
