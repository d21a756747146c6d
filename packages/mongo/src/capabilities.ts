import { type Capabilities, defineCapabilities } from "@pq/core/backend";

/** What the store can do. */
export const mongoCapabilities: Capabilities = defineCapabilities({
  maxBatch: 1_000,
  lateness: 250,
  repeatWindow: { ms: 60_000, calls: 1_000 },
  transactions: true,
});
