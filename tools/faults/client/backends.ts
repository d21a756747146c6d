/** How client processes open the stores. */
import { mongo } from "@pq/mongo";
import { redis } from "@pq/redis";
import { zk } from "@pq/zk";
import type { Connect, StoreName } from "../store.ts";
import { SESSION } from "./spec.ts";

/** By name. */
export const backends: Readonly<Record<StoreName, Connect>> = {
  // What stands in for MongoDB is slow when it keeps its data in a file.
  mongo: ({ host, port }) => mongo({ url: `mongodb://${host}:${port}/?directConnection=true`, commandTimeout: 2000 }),
  redis: ({ host, port }) => redis({ options: { host, port }, commandTimeout: 1000 }),
  zk: ({ host, port }) => zk({ hosts: `${host}:${port}`, sessionTimeout: SESSION, commandTimeout: 1000 }),
};
