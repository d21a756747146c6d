/** What the calls of one queue share. */
import type { OpenParams } from "@pq/core/backend";
import type { Pages } from "./pages.ts";
import type { ServerTime } from "./server-time.ts";

/** Of one queue, in one backend. */
export interface QueueParts {
  /** The name of the queue. */
  readonly queue: string;
  readonly pages: Pages;
  readonly time: ServerTime;
  readonly report: OpenParams["report"];
  /** A job may have become one that can be taken, by what this backend did. */
  readonly freed: () => void;
}
