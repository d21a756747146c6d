import type { BuryReason, RequestId } from "../job.ts";

/** The attempts of a job that says nothing else: such a job needs no extra for it. */
export const USUAL_ATTEMPTS = 3;

/** What a plain job that was never delivered does not need. */
export class Extra {
  key: string | null = null;
  group: string | null = null;
  expiresAt: number | null = null;
  ownLease: number | null = null;
  keepResult: number | null = null;
  maxAttempts: number = USUAL_ATTEMPTS;
  /** Delayed: when it is due. Leased: when the lease ends. Done: when the result ends. */
  moment = 0;
  /** When it came into its state, and a number among those that came at the same time. */
  since = 0;
  order = 0;
  fence = 0;
  lease = 0;
  leasedBy: RequestId | null = null;
  buryReason: BuryReason | null = null;
  lastError: string | null = null;
  progress: Uint8Array | null = null;
  result: Uint8Array | null = null;
}
