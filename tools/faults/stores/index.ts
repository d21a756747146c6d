/** The stores that faults can be tried on. */
import type { Store, StoreName, StoreOptions } from "../store.ts";
import { startMongoStore } from "./mongo.ts";
import { startRedisStore } from "./redis.ts";
import { startTarantoolStore } from "./tarantool.ts";
import { startZkStore } from "./zk.ts";

/** Starts a store by its name. */
export const stores: Readonly<Record<StoreName, (options: StoreOptions) => Promise<Store>>> = {
  mongo: startMongoStore,
  redis: startRedisStore,
  tarantool: startTarantoolStore,
  zk: startZkStore,
};
