/** The raw calls of whoever leaves a job in its row while it is worked on, as queues do that keep it when they are killed: see `raw.ts`. */
import type { Side } from "../../queues/side.ts";
import { rawSide } from "./raw.ts";

/** The raw primitive in two steps. */
export async function side(): Promise<Side> {
  const setup = "as the raw calls, but a take marks the rows of an array of jobs, and another call deletes them";
  return rawSide("raw calls, marked and deleted", setup, {
    put: "raw_marked_put",
    take: "raw_marked_take",
    ack: "raw_marked_ack",
  });
}
