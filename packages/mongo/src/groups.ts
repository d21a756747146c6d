import { randomInt } from "node:crypto";
import { sleep, systemClock } from "@pq/core/backend";
import type { Call } from "./call.ts";
import type { Page } from "./page/page.ts";
import type { QueueParts } from "./parts.ts";
import { RearmRound } from "./rearm.ts";

/** Rounds after which the rest is left to housekeeping. */
const MOST_ROUNDS = 30;
/** The longest pause after a lost round, in ms. */
const LONGEST_PAUSE = 50;

/**
 * Look after the groups in `todo` of pages that were just stored so. Tells whether a job may have got its turn. What is not done after many
 * lost races is left where housekeeping finds it.
 */
export async function rearm(call: Call, parts: QueueParts, pages: readonly Page[]): Promise<boolean> {
  const given = new Map(pages.filter(({ pending }) => !pending).map((page) => [page.id, page]));
  let armed = false;
  for (let rounds = 1; given.size > 0 && rounds <= MOST_ROUNDS; rounds++) {
    const round = new RearmRound(call, parts, given);
    const won = await round.run();
    armed ||= round.armed;
    if (won) continue;
    await sleep(systemClock, randomInt(Math.min(LONGEST_PAUSE, 2 ** rounds)));
    await refresh(call, parts, given);
  }
  return armed;
}

/** Read the pages again that still have something to do. */
async function refresh(call: Call, { pages }: QueueParts, given: Map<string, Page>): Promise<void> {
  const seen = await pages.read(call, { _id: { $in: [...given.keys()] } });
  given.clear();
  for (const { page } of seen) if (page.todo.size > 0) given.set(page.id, page);
}
