/** How client processes open the stores. */
import { redis } from "@pq/redis";
import type { Connect, StoreName } from "../store.ts";

/** By name. */
export const backends: Readonly<Record<StoreName, Connect>> = {
  redis: ({ host, port }) => redis({ options: { host, port }, commandTimeout: 1000 }),
};
