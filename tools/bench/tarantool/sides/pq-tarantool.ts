/** @pq/tarantool. */
import { tarantool } from "@pq/tarantool";
import type { Side } from "../../queues/side.ts";
import { pqSide } from "../../queues/sides/pq.ts";

/** @pq/tarantool as it is, with nothing set but the address. */
export async function side(): Promise<Side> {
  return pqSide("@pq/tarantool", "nothing set but the address", async ({ url }) => tarantool(url));
}
