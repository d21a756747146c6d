import { type Capabilities, defineCapabilities } from "@pq/core/backend";

/** What the store can do. */
export const mongoCapabilities: Capabilities = defineCapabilities({
  // A take or an ack writes the page of a put anew: smaller pages are cheaper to work off, larger ones to put.
  maxBatch: 250,
  lateness: 250,
  repeatWindow: { ms: 60_000, calls: 1_000 },
  transactions: true,
});
