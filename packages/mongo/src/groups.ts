/**
 * Groups: one member of each at a time, in the order of their positions.
 *
 * Members are the jobs of a group that are ready or wait for a retry; one that was put with a delay is none before it is due. One member of
 * a group at most is **armed**: that one may be given out, and it stays armed while it is leased. It is the one whose **turn** it is, which
 * the document of the group names (`turns.ts`). In which pages a group has members stands in its **lane** (`lanes.ts`).
 *
 * Whatever may change who is next (a job that comes, goes or moves, but not a delivery) puts the group into `todo` of the job's page in the
 * same write. Who made that write calls `rearm`; if it dies before, housekeeping finds the page by its `wake` and does. One round, for many
 * groups of all given pages at once (`rearm.ts`):
 *
 *     1  read the turns, and enter the given pages in the lanes
 *     2  read the pages of those who have a turn
 *     3  where that one is neither armed nor leased: search the lane for the head
 *     4  a member that has the turn and is not the head is disarmed; the same write puts the group into `todo` of its page
 *     5  move the turn to the head, by compare-and-set
 *     6  arm the head, by a write of the version that was read before 5
 *     7  take the group off `todo` of the given pages
 *
 * Why two are never armed: whoever arms (6) has read the page before the turn became that job's (5). Whoever moves the turn on has, after reading
 * whose it was, either changed the page of that job (4) or seen that it stands in no lane. So a slow arming finds another version of its page; or
 * the job came back to its lane after it was seen, and then the turn became its own again after it was read, and 5 fails.
 *
 * Why no group is forgotten: nothing takes a turn away without leaving the group in `todo`, 4 included. It is taken off (7) by a write of the very
 * version with which the round began, in which all was found right, or was put right before or by that same write.
 *
 * Why nobody is overlooked: a page is entered (1) before it is asked whether the turn is taken (2), and a lane is searched (3) after it was seen that
 * it is not. So when a member comes while the turn ends, either its own round sees that, or the other's search sees the member. When the turn is
 * nobody's, all members are of pages that have the group in `todo`: the first of the given ones takes it without a search, and those before it take it
 * from that.
 *
 * What time has done to the given pages is written before they are entered (1), and what it has done to the page of who has the turn before anything
 * follows from it.
 */
import { randomInt } from "node:crypto";
import { sleep, systemClock } from "@pq/core/backend";
import type { Call } from "./call.ts";
import type { Page } from "./page/page.ts";
import type { QueueParts } from "./parts.ts";
import { RearmRound } from "./rearm.ts";

/** Lost rounds after which the rest is left to housekeeping. */
const MOST_LOST = 30;
/** The longest pause after a lost round, in ms. */
const LONGEST_PAUSE = 50;

/**
 * Look after the groups in `todo` of pages that were just stored so. Tells whether a job may have got its turn. What is not done after many
 * lost races is left where housekeeping finds it.
 */
export async function rearm(call: Call, parts: QueueParts, pages: readonly Page[]): Promise<boolean> {
  const given = new Map(pages.filter(({ pending }) => !pending).map((page) => [page.id, page]));
  let armed = false;
  for (let lost = 0; given.size > 0 && lost < MOST_LOST;) {
    const round = new RearmRound(call, parts, given);
    const won = await round.run();
    armed ||= round.armed;
    if (won) continue;
    lost++;
    await sleep(systemClock, randomInt(Math.min(LONGEST_PAUSE, 2 ** lost)));
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
