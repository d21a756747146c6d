import { type Capabilities, defineCapabilities } from "@pq/core/backend";

/** What the store can do. */
export const zkCapabilities: Capabilities = defineCapabilities({
  // A node holds about 1 MB at most; a payload is in one node or two.
  maxPayload: 512 * 1024,
  maxBatch: 1000,
  maxBatchBytes: 8 * 1024 * 1024,
  lateness: 250,
  // A session is its process: when it ends, its jobs are given back, whatever their leases say.
  leasesOutliveConnections: false,
  // Entries of one session are in the order in which they were sent.
  chainedPuts: true,
});
