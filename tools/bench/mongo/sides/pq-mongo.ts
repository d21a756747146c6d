/** @pq/mongo. */
import { mongo } from "@pq/mongo";
import type { Side } from "../../queues/side.ts";
import { pqSide } from "../../queues/sides/pq.ts";
import { DATABASE } from "../driver.ts";

/** @pq/mongo as it is, with nothing set but the address and the database. */
export async function side(): Promise<Side> {
  return pqSide("@pq/mongo", "nothing set but the address and the database", async ({ url }) =>
    mongo({ url, db: DATABASE }),
  );
}
