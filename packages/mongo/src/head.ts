/** The head of a queue: where numbers and times are drawn. */
import type { RequestId } from "@pq/core/backend";
import type { Call } from "./call.ts";
import type { Drawn } from "./page/put.ts";
import type { Stamp } from "./page/place.ts";
import type { HeadDocument } from "./schema.ts";
import type { ServerTime } from "./server-time.ts";

/** A number after all that were drawn before, and the time of the server. A call that draws one and then fails leaves a gap, which is harmless. */
export async function draw(call: Call, queue: string, time: ServerTime): Promise<Drawn> {
  const head = await call.write(({ heads }) =>
    heads.findOneAndUpdate(
      { _id: queue, q: queue },
      { $inc: { n: 1 }, $currentDate: { at: true } },
      { upsert: true, returnDocument: "after", projection: { n: 1, at: 1 } },
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

/** How many calls of pause and resume a head remembers. */
const REMEMBERED_CALLS = 100;

/** Pause or resume, once for each request. */
export async function setPaused(call: Call, queue: string, request: RequestId, paused: boolean): Promise<void> {
  await call.write(({ heads }) =>
    heads.updateOne({ _id: queue, q: queue }, { $setOnInsert: { n: 0, at: new Date(0) } }, { upsert: true }),
  );
  await call.write(({ heads }) =>
    heads.updateOne(
      { _id: queue, q: queue, calls: { $ne: request } },
      { $set: { paused }, $push: { calls: { $each: [request], $slice: -REMEMBERED_CALLS } } },
    ),
  );
}
