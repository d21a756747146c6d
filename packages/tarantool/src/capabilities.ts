import { type Capabilities, defineCapabilities } from "@pq/core/backend";

/** What the store can do. A lease belongs to a process: it comes back when the process says goodbye, or is gone. */
export const tarantoolCapabilities: Capabilities = defineCapabilities({
  chainedPuts: true,
  leasesOutliveConnections: false,
});
