/**
 * A put that is part of a transaction of the user's: its page is there if and only if that commits.
 *
 * Inside of the transaction stands what must go with it: the payloads, the page, and with `maxSize` the admission. Outside and before it stands
 * what would lock others out until the user commits: the number of the put, and what frees names. The groups of the page are looked
 * after by whoever keeps house next, since nobody sees it before the commit. Commands of a transaction come one after the other.
 */
import type { PutOutcome, PutParams } from "@pq/core/backend";
import { admitWithin, lastAdmission, resolvePending } from "./admission.ts";
import type { Call } from "./call.ts";
import { sumUp } from "./capacity.ts";
import { isDuplicateKey, lostRace } from "./errors.ts";
import { draw } from "./head.ts";
import { type Holders, holdersIn, planPut } from "./names.ts";
import { packBodies } from "./page/body.ts";
import { namesOf, newPage, pageDocument } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import type { UserTransaction } from "./session.ts";
import { type Putting, storeChunks, whoHolds } from "./storing.ts";

/** A put, and the transaction that it is part of. */
interface Within extends Putting {
  readonly call: Call;
  readonly parts: QueueParts;
  readonly transaction: UserTransaction;
}

/**
 * Store jobs. Rejects with `INVALID_STATE` when no transaction is under way. Where another put was quicker to take a name or the last room, it
 * rejects, or the commit does, with an error after which the transaction may be run again.
 */
export async function putInTransaction(
  call: Call,
  parts: QueueParts,
  params: PutParams,
  transaction: UserTransaction,
): Promise<readonly PutOutcome[]> {
  const drawn = await draw(call, parts.queue, parts.time);
  const put: Within = { call, parts, params, transaction, drawn, bodies: packBodies(params.jobs) };
  await whoHolds(call, parts, put);
  try {
    return await store(put);
  } catch (error) {
    throw isDuplicateKey(error) ? lostRace(error) : error;
  }
}

async function store(put: Within): Promise<readonly PutOutcome[]> {
  const { call, params, transaction, drawn, bodies } = put;
  const { session } = transaction;
  const holders = await holdersWithin(put);
  const room = params.maxSize === null ? Infinity : params.maxSize - (await sizeWithin(put));
  const outcomes = planPut(params.jobs, holders, { room, partial: params.partial });
  const page = newPage(params, outcomes, drawn, bodies);
  if (page.jobs.length === 0) return outcomes;
  transaction.check();
  await storeChunks(call, put, session);
  transaction.check();
  await call.write(({ pages }) => pages.insertOne(pageDocument(page, params.jobs, outcomes), { session }));
  if (params.maxSize === null) return outcomes;
  transaction.check();
  await admitWithin(session, call, page);
  return outcomes;
}

/** Who holds names of this put, by what the transaction sees. */
async function holdersWithin({ call, parts, params, transaction }: Within): Promise<Holders> {
  const filter = { names: { $in: params.jobs.flatMap(namesOf) } };
  transaction.check();
  const seen = await parts.pages.read(call, filter, { session: transaction.session });
  transaction.sent();
  return holdersIn(seen.map(({ page }) => page));
}

/**
 * How many jobs `maxSize` counts, by what the transaction sees. The page that was admitted last must be visible before another is: so it is
 * made so, which the transaction need not see, since it is counted in any case.
 */
async function sizeWithin({ call, parts, transaction }: Within): Promise<number> {
  const { session } = transaction;
  transaction.check();
  const last = await lastAdmission(call, parts.queue, session);
  if (last !== null) await resolvePending(call, parts, last.page);
  transaction.check();
  const { size } = await sumUp(call, parts.queue, last, session);
  return size;
}
