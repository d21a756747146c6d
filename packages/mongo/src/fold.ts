/**
 * Pages that are over. A page whose last job went is kept for the time in which its calls may be repeated. Then its counters are added to the
 * head's, and it is deleted with all that belongs to it:
 *
 *     head: counters added, ids noted --> bodies, lanes --> pages --> head: ids forgotten
 *
 * The first step is one compare-and-set of the head, on `fold.v`. From then on the pages in `fold.pages` count no more, deleted or not. Whoever
 * folds next finishes what was broken off; doing a step twice does no harm, since a page that is over never changes its counters.
 *
 * What is deleted here was read to be over from a majority: else a page of one machine's could be, whose jobs are still there on the others.
 */
import type { Counters } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { REMEMBERED } from "./page/page.ts";
import { noCounters } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import type { HeadDocument, PageDocument } from "./schema.ts";

/** Pages that are folded at a time. */
const BATCH = 200;

const FROM_MAJORITY = { readConcern: { level: "majority" } } as const;

/** What is known of a page that may be over. */
interface Closed extends Pick<PageDocument, "_id" | "k"> {
  readonly closed: Date;
  /** The time of the server. */
  readonly now: Date;
}

/** Pages under way: those noted in the head. */
type Fold = NonNullable<HeadDocument["fold"]>;

/** Fold some pages that are over, or finish what another has begun. `true`: more may be left. */
export async function fold(call: Call, parts: QueueParts): Promise<boolean> {
  const { queue } = parts;
  // Before the pages: those that another folds meanwhile have moved `fold.v` on.
  const head = await call.read(({ heads }) => heads.findOne({ _id: queue, q: queue }, FROM_MAJORITY));
  if (head === null) return false;
  const begun = head.fold ?? { v: 0, pages: [] };
  if (begun.pages.length > 0) {
    await finish(call, queue, begun);
    return true;
  }
  const pages = await pagesOver(call, parts);
  if (pages.length === 0) return false;
  const next = { v: begun.v + 1, pages: pages.map(({ _id }) => _id) };
  if (await begin(call, head, next, pages)) await finish(call, queue, next);
  return pages.length === BATCH;
}

async function pagesOver(call: Call, { queue, time }: QueueParts): Promise<Closed[]> {
  // Whose groups are not looked after yet is not over.
  const filter = { q: queue, closed: { $lte: new Date(time.now - REMEMBERED.ms) }, todo: { $exists: false } };
  const project = { k: 1, closed: 1, now: "$$NOW" };
  const closed = await call.read(({ pages }) =>
    pages.aggregate<Closed>([{ $match: filter }, { $limit: BATCH }, { $project: project }], FROM_MAJORITY).toArray(),
  );
  return closed.filter((page) => page.now.getTime() - page.closed.getTime() >= REMEMBERED.ms);
}

/** Count them in the head. `false`: somebody else has folded meanwhile. */
async function begin(call: Call, head: HeadDocument, next: Fold, pages: readonly Closed[]): Promise<boolean> {
  const { _id, q } = head;
  const names = Object.keys(noCounters) as (keyof Counters)[];
  const sums = names.map((name) => [`total.${name}`, pages.reduce((sum, { k }) => sum + k[name], 0)] as const);
  const { matchedCount } = await call.write(({ heads }) =>
    heads.updateOne(
      { _id, q, "fold.v": head.fold?.v ?? { $exists: false } },
      { $inc: Object.fromEntries(sums), $set: { fold: next } },
    ),
  );
  return matchedCount === 1;
}

async function finish(call: Call, queue: string, { v, pages: ids }: Fold): Promise<void> {
  const ofPages = { q: queue, page: { $in: ids } };
  await Promise.all([
    call.write(({ bodies }) => bodies.deleteMany(ofPages)),
    call.write(({ lanes }) => lanes.deleteMany(ofPages)),
  ]);
  await call.write(({ pages }) => pages.deleteMany({ _id: { $in: ids }, q: queue }));
  await call.write(({ heads }) =>
    heads.updateOne({ _id: queue, q: queue, "fold.v": v }, { $set: { "fold.pages": [] } }),
  );
}
