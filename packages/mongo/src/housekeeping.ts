/** What time does to pages, written down by whoever comes by: it needs no daemon. */
import { resolvePending } from "./admission.ts";
import type { Call } from "./call.ts";
import { rearm } from "./groups.ts";
import { MOST_DUE } from "./pages.ts";
import type { QueueParts } from "./parts.ts";

/** Work off what has fallen due, in so many pages at most. `true`: more may be left. */
export async function housekeep(call: Call, parts: QueueParts, limit: number = MOST_DUE): Promise<boolean> {
  const seen = await parts.pages.due(call, parts.time, limit);
  const pages = seen.map(({ page }) => page).filter(({ pending }) => !pending);
  const written = await parts.pages.writeAll(
    call,
    pages.filter(({ changed }) => changed),
  );
  const todo = pages.filter(({ todo }) => todo.size > 0);
  if (written && todo.length > 0) await rearm(call, parts, todo);
  // Their puts are over by now: each is admitted, or it never will be.
  const pending = seen.filter(({ page }) => page.pending);
  for (const { page } of pending) await resolvePending(call, parts, page.id);
  return !written || seen.length === limit;
}
