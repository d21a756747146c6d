import type { SettleOutcome, Settlement, Touch } from "./backend.ts";
import type { Clock } from "./clock.ts";
import type { JobId } from "./job.ts";
import type { Lease } from "./lease.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";

/** What a job, a worker and a consumer need of the queue. */
export interface JobHost {
  readonly clock: Clock;
  readonly keeper: LeaseKeeper;
  settle(item: Settlement): Promise<SettleOutcome>;
  touch(item: Touch): Promise<boolean>;
  /** Bytes for a result or progress. Throws `INVALID_PAYLOAD` or `PAYLOAD_TOO_LARGE`. */
  encode(value: unknown, what: string): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /** Something failed that no call can report. */
  report(error: unknown, id?: JobId): void;
}

/** Extend a lease by its own duration. */
export function renewLease(host: JobHost, { id, fence, duration }: Lease): Promise<boolean> {
  return host.touch({ id, fence, lease: duration, progress: null });
}
