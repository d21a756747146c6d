/** The steps that puts of all kinds have in common. */
import type { PutOutcome, PutParams } from "@pq/core/backend";
import type { ClientSession } from "mongodb";
import { resolvePending } from "./admission.ts";
import { chunkDocuments } from "./bodies.ts";
import type { Call } from "./call.ts";
import { isDuplicateKey } from "./errors.ts";
import { findHolders, type Holders } from "./names.ts";
import type { Bodies } from "./page/body.ts";
import type { Page } from "./page/page.ts";
import { type Drawn, outcomesOf, pageDocument } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import { pageId } from "./schema.ts";
import { within } from "./session.ts";

/** A put under way. */
export interface Putting {
  readonly params: PutParams;
  readonly drawn: Drawn;
  readonly bodies: Bodies;
}

/** Who holds names of this put, once no page that may never be admitted does. */
export async function whoHolds(call: Call, parts: QueueParts, { params }: Putting): Promise<Holders> {
  for (;;) {
    const { holders, pending } = await findHolders(call, parts, params.jobs);
    if (pending.length === 0) return holders;
    for (const page of pending) await resolvePending(call, parts, page);
  }
}

/** Store the payloads of a put that are too large for its page. */
export async function storeChunks(
  call: Call,
  { params: { queue, request }, drawn, bodies }: Putting,
  session?: ClientSession,
): Promise<void> {
  const documents = chunkDocuments({ id: pageId(queue, request), queue, at: drawn.at }, bodies.chunks);
  if (documents.length === 0) return;
  try {
    await call.write((collections) => collections.bodies.insertMany(documents, { ordered: false, ...within(session) }));
  } catch (error) {
    if (!isDuplicateKey(error)) throw error; // a repeated put has the same chunks
  }
}

/** Store a page. `false`: this put was here before, or one of its names is taken. */
export async function insertPage(
  call: Call,
  { params }: Putting,
  page: Page,
  outcomes: readonly PutOutcome[],
): Promise<boolean> {
  try {
    await call.write((collections) => collections.pages.insertOne(pageDocument(page, params.jobs, outcomes)));
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}

/** What this put was answered when it was here before. */
export async function answerBefore(
  call: Call,
  { queue, request, jobs }: PutParams,
): Promise<readonly PutOutcome[] | undefined> {
  const filter = { _id: pageId(queue, request), q: queue, pending: { $exists: false } };
  const page = await call.read(({ pages }) => pages.findOne(filter, { projection: { put: 1 } }));
  return page === null ? undefined : outcomesOf(page.put, jobs.length);
}
