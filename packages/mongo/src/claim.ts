/**
 * How many waiting processes are told of the jobs of a page: as many as there are jobs, so that one put does not wake them all.
 *
 * `called` of a page counts those that were told since its last change, which makes the count void: `called.v` is not `v` then. So it needs no
 * change of `v` itself, and no write of a page needs to know of it. It is a hint: what is lost or counted twice wakes one process more or less.
 */
import type { Filter, UpdateFilter, UpdateOptions } from "mongodb";
import type { Call } from "./call.ts";
import type { Outlook } from "./pages.ts";
import type { PageDocument } from "./schema.ts";

/** Who was told and has taken nothing after so long is not coming, in ms. */
const PATIENCE = 1000;

/** Nobody was told of the page as it is. What is missing is less than anything. */
const UNTOLD = [{ $ne: ["$called.v", "$v"] }, { $lte: ["$called.until", "$$NOW"] }];
/** Fewer were told than there are jobs. */
const TOLD_TOO_FEW = { $lt: ["$called.k", "$free"] };

/** Pages that somebody may still be told of. */
export const CLAIMABLE: Filter<PageDocument> = { $expr: { $or: [...UNTOLD, TOLD_TOO_FEW] } };

/** Nothing is lost with a claim, so nobody waits for its copies. */
const CHEAP: UpdateOptions = { writeConcern: { w: 1 } };

/** Be the one who is told of a job of this page. `false`: others were quicker, or the page has changed. */
export async function claim(call: Call, queue: string, { _id, v, now, called }: Outlook): Promise<boolean> {
  const page = { _id, q: queue, v };
  const counting = called !== undefined && called.v === v && called.until > now;
  if (counting) return update(call, { ...page, "called.v": v, $expr: TOLD_TOO_FEW }, { $inc: { "called.k": 1 } });
  const until = new Date(now.getTime() + PATIENCE);
  return update(call, { ...page, $expr: { $or: UNTOLD } }, { $set: { called: { v, k: 1, until } } });
}

/** Let another be told instead. */
export async function giveBack(call: Call, queue: string, { _id, v }: Outlook): Promise<void> {
  await update(call, { _id, q: queue, "called.v": v }, { $inc: { "called.k": -1 } });
}

async function update(call: Call, filter: Filter<PageDocument>, change: UpdateFilter<PageDocument>): Promise<boolean> {
  const { matchedCount } = await call.write(({ pages }) => pages.updateOne(filter, change, CHEAP));
  return matchedCount === 1;
}
