/** The steps that puts of all kinds have in common. */
import type { PutOutcome, PutParams } from "@pq/core/backend";
import { resolvePending } from "./admission.ts";
import type { Call } from "./call.ts";
import { isDuplicateKey } from "./errors.ts";
import { findHolders, type Holders } from "./names.ts";
import type { Bodies } from "./page/body.ts";
import type { Page } from "./page/page.ts";
import { type Drawn, outcomesOf, pageDocument } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import { pageId } from "./schema.ts";

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

/** Store a page. `false`: this put was here before, or one of its names is taken. */
export async function insertPage(call: Call, page: Page, outcomes: readonly PutOutcome[]): Promise<boolean> {
  try {
    await call.write((collections) => collections.pages.insertOne(pageDocument(page, outcomes)));
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
