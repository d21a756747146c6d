/** @pq/zk. */
import { zk } from "@pq/zk";
import type { Side } from "../../queues/side.ts";
import { pqSide } from "../../queues/sides/pq.ts";

const SETUP =
  "nothing set but the address; a worker has read its queue before the clock starts, and how long that takes is in the depth rows";

/** @pq/zk as it is. */
export async function side(): Promise<Side> {
  return pqSide("@pq/zk", SETUP, async ({ url }) => zk({ hosts: url }), { readsFirst: true });
}
