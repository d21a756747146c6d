/** The head of a queue: where numbers and times are drawn. */
import type { RequestId } from "@pq/core/backend";
import type { Call } from "./call.ts";
import type { Drawn } from "./page/put.ts";
import type { Stamp } from "./page/place.ts";
import type { HeadDocument } from "./schema.ts";
import type { QueueParts } from "./parts.ts";
import type { ServerTime } from "./server-time.ts";
import { upsert } from "./upsert.ts";

/** A number after all that were drawn before, and the time of the server. A call that draws one and then fails leaves a gap, which is harmless. */
export async function draw(call: Call, queue: string, time: ServerTime): Promise<Drawn> {
  const head = await upsert(() =>
    call.write(({ heads }) =>
      heads.findOneAndUpdate(
        { _id: queue, q: queue },
        { $inc: { n: 1 }, $currentDate: { at: true } },
        { upsert: true, returnDocument: "after", projection: { n: 1, at: 1 } },
      ),
    ),
  );
  const at = head!.at.getTime();
  time.saw(at);
  return { n: head!.n, at };
}

/** Gives out stamps, all of one draw. */
export function stampsOf({ n, at }: Drawn): () => Stamp {
  let i = 0;
  return () => ({ ms: at, n, i: i++ });
}

/** The head, or `null` for a queue that nobody knows. */
export function readHead(call: Call, queue: string): Promise<HeadDocument | null> {
  return call.read(({ heads }) => heads.findOne({ _id: queue, q: queue }));
}

/** The same with the time of the server. */
export async function readHeadNow(
  call: Call,
  { queue, time }: Pick<QueueParts, "queue" | "time">,
): Promise<(HeadDocument & { readonly now: Date }) | null> {
  const stages = [{ $match: { _id: queue, q: queue } }, { $addFields: { now: "$$NOW" } }];
  const [head] = await call.read(({ heads }) => heads.aggregate<HeadDocument & { now: Date }>(stages).toArray());
  if (head === undefined) return null;
  time.saw(head.now.getTime());
  return head;
}

/** How many calls of pause and resume a head remembers. */
const REMEMBERED_CALLS = 100;

/** Pause or resume, once for each request. */
export async function setPaused(call: Call, queue: string, request: RequestId, paused: boolean): Promise<void> {
  await upsert(() =>
    call.write(({ heads }) =>
      heads.updateOne({ _id: queue, q: queue }, { $setOnInsert: { n: 0, at: new Date(0) } }, { upsert: true }),
    ),
  );
  await call.write(({ heads }) =>
    heads.updateOne(
      { _id: queue, q: queue, calls: { $ne: request } },
      { $set: { paused }, $push: { calls: { $each: [request], $slice: -REMEMBERED_CALLS } } },
    ),
  );
}
