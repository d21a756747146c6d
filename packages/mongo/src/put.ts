/**
 * Storing jobs. A put becomes visible, as a whole, with the insertion of its page; everything that the page needs is stored before it.
 *
 *     draw a number --> chunks of payloads --> the page --> who is next in its groups
 *
 * Where a name of it is taken, by an id or a key, the page is refused, and tried again without the jobs that are duplicates. A put that
 * comes a second time finds its own page.
 */
import type { PutOutcome, PutParams } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { putBounded } from "./capacity.ts";
import { rearm } from "./groups.ts";
import { draw } from "./head.ts";
import { nobody, planPut } from "./names.ts";
import { packBodies } from "./page/body.ts";
import { newPage } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import { answerBefore, insertPage, type Putting, storeChunks, whoHolds } from "./storing.ts";

/** Store jobs. */
export async function put(call: Call, parts: QueueParts, params: PutParams): Promise<readonly PutOutcome[]> {
  const bodies = packBodies(params.jobs);
  const drawn = await draw(call, parts.queue, parts.time);
  const putting = { params, drawn, bodies };
  await storeChunks(call, putting);
  if (params.maxSize === null) return putAll(call, parts, putting);
  return putBounded(call, parts, putting, params.maxSize);
}

async function putAll(call: Call, parts: QueueParts, putting: Putting): Promise<readonly PutOutcome[]> {
  const { jobs } = putting.params;
  for (let holders = nobody; ;) {
    const outcomes = planPut(jobs, holders);
    const page = newPage(putting.params, outcomes, putting.drawn, putting.bodies);
    if (await insertPage(call, putting, page, outcomes)) {
      if (page.todo.size > 0) await rearm(call, parts, [page]);
      return outcomes;
    }
    const before = await answerBefore(call, putting.params);
    if (before !== undefined) return before;
    holders = await whoHolds(call, parts, putting);
  }
}
