import type { Bagged } from "./bag.ts";
import type { Clock } from "./clock.ts";
import { PqError } from "./errors.ts";
import type { DeliveredJob, JobId, LeaseProof } from "./job.ts";

/**
 * Why a lease was lost: it ran out, because the store could not be reached in time (`expired`) or because this process did nothing else
 * for too long (`event-loop-blocked`); or the store says it is another's, or the job was removed (`taken-over`).
 */
export type LostReason = "expired" | "taken-over" | "event-loop-blocked";

/** Who wants to know what becomes of a lease that is kept, and can renew it. */
export interface LeaseWatcher {
  /** Extend the lease in the store. */
  renew(lease: Lease): Promise<boolean>;
  /** It is lost, and no longer kept. */
  lost(lease: Lease, reason: LostReason): void;
}

const SAYINGS: Readonly<Record<LostReason, string>> = {
  expired: "ran out before it could be renewed",
  "taken-over": "is no longer valid: it ran out in the store, or the job was removed",
  "event-loop-blocked": "ran out while the event loop was blocked",
};

/** The lease of one delivered job, as this process sees it. Its end is counted on the monotonic clock from before the take was sent, so it is never late. */
export class Lease implements LeaseProof, Bagged {
  readonly id: JobId;
  readonly fence: number;
  /** In ms. */
  readonly duration: number;
  /** Monotonic time at which it ends. */
  end: number;
  /** Monotonic time of the next renewal; used by the keeper, like the two that follow. */
  renewAt: number;
  watcher: LeaseWatcher | undefined;
  place = -1;
  /** A renewal is under way. */
  renewing = false;
  /** A settlement is under way: neither renewed nor given up meanwhile, since the answer decides. */
  settling = false;
  #lost: PqError | undefined;
  #controller: AbortController | undefined;

  constructor({ id, fence, lease }: DeliveredJob, since: number) {
    this.id = id;
    this.fence = fence;
    this.duration = lease;
    this.end = since + lease;
    this.renewAt = since + lease / 3;
  }

  /** May the job still be worked on? */
  holds(clock: Clock): boolean {
    return this.#lost === undefined && clock.monotonic() < this.end;
  }

  /** Has it been found lost? */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Made when it is first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  /** The lease is gone. */
  lose(reason: LostReason): void {
    this.#lost ??= new PqError("LEASE_LOST", `the lease of job ${this.id} ${SAYINGS[reason]}`);
    this.#controller?.abort(this.#lost);
  }

  /** Tell the holder to stop for another reason than a lost lease. */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  /** Renewed for so long by a call that was sent at `since`. */
  renewed(since: number, duration: number): void {
    this.end = Math.max(this.end, since + duration);
    this.renewAt = since + Math.min(duration, this.duration) / 3;
  }
}
