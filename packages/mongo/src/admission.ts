/**
 * Pages of puts with `maxSize`, which nobody sees before they are admitted.
 *
 *     inserted as pending --> head.admitted names it --> visible
 *             |
 *             +--> deleted, by its own put or by whoever is in need of its names
 *
 * What `head.admitted` names is admitted for ever, so anybody may make it visible, and whoever counts the jobs of a queue does it first. Every
 * other pending page may be deleted at any time: its put has not been answered, sees that its page is gone, and starts again. A page is
 * named with its number, since a put that starts again stores a page of the same id, with another number.
 */
import type { Call } from "./call.ts";
import { rearm } from "./groups.ts";
import { readHead } from "./head.ts";
import type { Page } from "./page/page.ts";
import type { QueueParts } from "./parts.ts";
import type { HeadDocument } from "./schema.ts";

/** The page that was admitted last. */
export type Admission = NonNullable<HeadDocument["admitted"]>;

/** Admit a page, if none was since `last`. */
export async function admit(call: Call, last: Admission | undefined, { id, queue, n }: Page): Promise<boolean> {
  const { matchedCount } = await call.write(({ heads }) =>
    heads.updateOne(
      { _id: queue, q: queue, "admitted.n": last?.n ?? { $exists: false } },
      { $set: { admitted: { page: id, n } } },
    ),
  );
  return matchedCount === 1;
}

/** Make a page visible that was admitted. `false`: it is no longer pending, or gone. */
export async function show(call: Call, parts: QueueParts, page: Page): Promise<boolean> {
  page.pending = false;
  if (!(await parts.pages.write(call, [page], ofPending(page)))) return false;
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
  const head = await readHead(call, parts.queue);
  const { page } = seen;
  if (head?.admitted?.page === id && head.admitted.n === page.n) await show(call, parts, page);
  else await withdraw(call, page);
}

function ofPending({ n }: Page): { readonly n: number; readonly pending: true } {
  return { n, pending: true };
}
