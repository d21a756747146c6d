/** @pq/redis. */
import { redis } from "@pq/redis";
import type { Side } from "../../queues/side.ts";
import { pqSide } from "../../queues/sides/pq.ts";

/** @pq/redis as it is, with nothing set but the address. */
export async function side(): Promise<Side> {
  return pqSide("@pq/redis", "nothing set but the address", async ({ url }) => redis({ url }));
}
