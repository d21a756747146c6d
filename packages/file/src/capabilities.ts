import { type Capabilities, defineCapabilities } from "@pq/core/backend";
import { REPEAT_WINDOW } from "@pq/core/state";

/** What a store in a folder can do. One process owns the folder, so the store is not shared. */
export const fileCapabilities: Capabilities = defineCapabilities({
  lateness: 20,
  repeatWindow: REPEAT_WINDOW,
  shared: false,
});
