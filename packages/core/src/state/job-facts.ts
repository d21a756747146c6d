/** What the engine knows of a job: what its put said, and what has become of it. Payload and headers are the store's. */
import type { NewJob } from "../job.ts";
import type { Extra } from "./extra.ts";

/** What a put says of a job, with times in place of durations, and the position that the job was given. */
export interface JobFacts extends Omit<NewJob, "id" | "due" | "ttl" | "payload" | "lease" | "headers"> {
  /** The id. */
  readonly words: Int32Array;
  readonly createdAt: number;
  /** The position: a time, then a number among equal times. */
  readonly time: number;
  readonly sequence: number;
  readonly expiresAt: number | null;
  readonly ownLease: number | null;
  /** When a job put with a delay falls due. */
  readonly dueAt: number | null;
}

/** What has become of a job since its put. */
export interface MovedState {
  /** One of the numbers of `job-table.ts`. */
  readonly state: number;
  readonly flags: number;
  readonly attempt: number;
  readonly extra: Pick<
    Extra,
    "moment" | "since" | "order" | "fence" | "lease" | "leasedBy" | "buryReason" | "lastError" | "progress" | "result"
  >;
}
