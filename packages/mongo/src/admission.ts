/**
 * Pages of puts with `maxSize`, which nobody sees before they are admitted.
 *
 *     inserted as pending --> the admission names it --> visible
 *             |
 *             +--> deleted, by its own put or by whoever is in need of its names
 *
 * What the admission names is admitted for ever, so anybody may make it visible, and whoever counts the jobs of a queue does it first. Every
 * other pending page may be deleted at any time: its put has not been answered, sees that its page is gone, and starts again. A page is
 * named with its number, since a put that starts again stores a page of the same id, with another number.
 */
import type { ClientSession } from "mongodb";
import type { Call } from "./call.ts";
import { isDuplicateKey } from "./errors.ts";
import { rearm } from "./groups.ts";
import type { Page } from "./page/page.ts";
import type { QueueParts } from "./parts.ts";
import type { AdmissionDocument } from "./schema.ts";
import { within } from "./session.ts";

/** The page that was admitted last. */
export type Admission = Pick<AdmissionDocument, "page" | "n">;

/** The page of this queue that was admitted last, if any. */
export function lastAdmission(call: Call, queue: string, session?: ClientSession): Promise<Admission | null> {
  return call.read(({ admissions }) => admissions.findOne({ _id: queue, q: queue }, within(session)));
}

/** Admit a page, if none was since `last`. */
export async function admit(call: Call, last: Admission | null, { id, queue, n }: Page): Promise<boolean> {
  const admission = { page: id, n };
  if (last !== null) {
    const filter = { _id: queue, q: queue, n: last.n };
    const { matchedCount } = await call.write(({ admissions }) => admissions.updateOne(filter, { $set: admission }));
    return matchedCount === 1;
  }
  try {
    await call.write(({ admissions }) => admissions.insertOne({ _id: queue, q: queue, ...admission }));
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}

/** Admit a page with its transaction, which fails if another is admitted since it began: that would be a second write of one document. */
export async function admitWithin(session: ClientSession, call: Call, { id, queue, n }: Page): Promise<void> {
  await call.write(({ admissions }) =>
    admissions.updateOne({ _id: queue, q: queue }, { $set: { page: id, n } }, { upsert: true, session }),
  );
}

/** Make a page visible that was admitted. `false`: it is no longer pending, or gone. */
export async function show(call: Call, parts: QueueParts, page: Page): Promise<boolean> {
  page.pending = false;
  if (!(await parts.pages.writeAll(call, [page], ofPending(page)))) return false;
  if (page.todo.size > 0) await rearm(call, parts, [page]);
  return true;
}

/** Delete a page that was not admitted. */
export async function withdraw(call: Call, page: Page): Promise<void> {
  await call.write(({ pages }) => pages.deleteOne({ _id: page.id, q: page.queue, ...ofPending(page) }));
}

/** Make a pending page visible if it was admitted, else delete it. */
export async function resolvePending(call: Call, parts: QueueParts, id: string): Promise<void> {
  const [seen] = await parts.pages.read(call, { _id: id, pending: true });
  if (seen === undefined) return;
  const last = await lastAdmission(call, parts.queue);
  const { page } = seen;
  if (last?.page === id && last.n === page.n) await show(call, parts, page);
  else await withdraw(call, page);
}

function ofPending({ n }: Page): { readonly n: number; readonly pending: true } {
  return { n, pending: true };
}
