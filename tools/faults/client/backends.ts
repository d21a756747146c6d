/** How client processes open the stores. Each loads its own alone: many processes start in a run, and some are killed. */
import type { Backend } from "@pq/core/backend";
import type { Connect, Place, StoreName } from "../store.ts";
import { SESSION } from "./spec.ts";

/** By name. */
const backends: Readonly<Record<StoreName, Connect>> = {
  // What stands in for MongoDB is slow when it keeps its data in a file.
  mongo: async ({ host, port }) => {
    const { mongo } = await import("@pq/mongo");
    return mongo({ url: `mongodb://${host}:${port}/?directConnection=true`, commandTimeout: 2000 });
  },
  redis: async ({ host, port }) => {
    const { redis } = await import("@pq/redis");
    return redis({ options: { host, port }, commandTimeout: 1000 });
  },
  tarantool: async ({ store: _store, ...where }) => {
    const { tarantool } = await import("@pq/tarantool");
    return tarantool({ ...where, commandTimeout: 1000, leaseGrace: SESSION });
  },
  zk: async ({ host, port }) => {
    const { zk } = await import("@pq/zk");
    return zk({ hosts: `${host}:${port}`, sessionTimeout: SESSION, commandTimeout: 1000 });
  },
};

/** Opens the store of this place. */
export async function backendOf(place: Place): Promise<Backend> {
  return backends[place.store](place);
}
