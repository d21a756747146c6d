/** The in-memory reference backend: no store at all. For work on the benchmark itself, and to see what the queue in front of a store costs. */
import { memory } from "@pq/core/testing";
import type { Backend } from "@pq/core/backend";
import type { Side } from "../side.ts";
import { pqSide } from "./pq.ts";

/** Producer and worker of one run share the backend; the next run's queue has another name. */
export async function side(): Promise<Side> {
  const stores = new Map<string, Backend>();
  return pqSide("@pq in memory", "no store: the reference backend in the client's process", async ({ queue }) => {
    const store = stores.get(queue) ?? memory();
    stores.set(queue, store);
    return store;
  });
}
