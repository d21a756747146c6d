import { type Capabilities, defineCapabilities } from "@pq/core/backend";

/** What the store can do. */
export const redisCapabilities: Capabilities = defineCapabilities({ chainedPuts: true });
