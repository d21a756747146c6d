/**
 * Puts with `maxSize`. No lock: a put counts, stores its page where nobody sees it, and is admitted if no other was since it began to count.
 *
 *     last admission --> it is visible --> count --> own page, pending --> admitted, if that is still the last --> visible
 *           ^                                                    |
 *           +------------- another was admitted: delete own page +
 *
 * So when a page is admitted all that were admitted before it are counted, and `maxSize` is never exceeded by such puts. Puts without it are
 * not held up: where one comes while another counts, it may come after. Other calls never add to what is counted, but for a kick or dig.
 */
import { randomInt } from "node:crypto";
import type { ClientSession } from "mongodb";
import { PqError, type PutOutcome, sleep, systemClock } from "@pq/core/backend";
import { type Admission, admit, lastAdmission, resolvePending, show, withdraw } from "./admission.ts";
import type { Call } from "./call.ts";
import { draw } from "./head.ts";
import { housekeep } from "./housekeeping.ts";
import { nobody, planPut } from "./names.ts";
import { newPage } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";
import { within } from "./session.ts";
import { answerBefore, insertPage, type Putting, whoHolds } from "./storing.ts";

/** Tries after which a put is given up. */
const MOST_TRIES = 100;
/** The longest pause after a lost race, in ms. */
const LONGEST_PAUSE = 50;
/** What has fallen due is written before a put is refused, in so many steps of so many pages at most. */
const STEPS = 10;
const PAGES = 100;

/** Store jobs as long as there is room. */
export async function putBounded(
  call: Call,
  parts: QueueParts,
  putting: Putting,
  maxSize: number,
): Promise<readonly PutOutcome[]> {
  let attempt = { ...putting, maxSize };
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const outcomes = await tryToPut(call, parts, attempt);
    if (outcomes !== undefined) return outcomes;
    await sleep(systemClock, randomInt(Math.min(LONGEST_PAUSE, 2 ** tries)));
    // A page of another number: the one before may have been seen.
    attempt = { ...attempt, drawn: await draw(call, parts.queue, parts.time) };
  }
  throw new PqError("UNAVAILABLE", `others were admitted ${MOST_TRIES} times in a row`);
}

/** A put of limited size. */
interface Attempt extends Putting {
  readonly maxSize: number;
}

/** `undefined`: another was quicker. */
async function tryToPut(call: Call, parts: QueueParts, attempt: Attempt): Promise<readonly PutOutcome[] | undefined> {
  const { params, drawn, bodies, maxSize } = attempt;
  const plan = (holders: typeof nobody, room: number): PutOutcome[] =>
    planPut(params.jobs, holders, { room, partial: params.partial });
  let { last, size } = await count(call, parts);
  let outcomes = plan(nobody, maxSize - size);
  if (outcomes.some(({ status }) => status === "full")) {
    // Time may have made room, and duplicates need none.
    for (let step = 0; step < STEPS && (await housekeep(call, parts, PAGES)); step++);
    const holders = await whoHolds(call, parts, attempt);
    ({ last, size } = await count(call, parts));
    outcomes = plan(holders, maxSize - size);
  }
  for (;;) {
    const page = newPage(params, outcomes, drawn, bodies);
    page.pending = page.jobs.length > 0;
    if (await insertPage(call, attempt, page, outcomes)) {
      if (!page.pending) return outcomes;
      if (await admit(call, last, page)) return (await show(call, parts, page)) ? outcomes : answerBefore(call, params);
      await withdraw(call, page);
      return undefined;
    }
    const before = await answerBefore(call, params);
    if (before !== undefined) return before;
    outcomes = plan(await whoHolds(call, parts, attempt), maxSize - size);
  }
}

/** What `maxSize` limits. */
interface Count {
  /** The page that was admitted last; it is counted. */
  readonly last: Admission | null;
  readonly size: number;
}

async function count(call: Call, parts: QueueParts): Promise<Count> {
  for (;;) {
    const last = await lastAdmission(call, parts.queue);
    const { size, waits } = await sumUp(call, parts.queue, last);
    if (waits === 0) return { last, size };
    await resolvePending(call, parts, last!.page);
  }
}

/** The jobs of all admitted pages, and whether the last of them is not visible yet. */
export async function sumUp(
  call: Call,
  queue: string,
  last: Admission | null,
  session?: ClientSession,
): Promise<{ readonly size: number; readonly waits: number }> {
  const isLast = { $and: ["$pending", { $eq: ["$_id", last?.page] }, { $eq: ["$n", last?.n] }] };
  const notAdmitted = { $and: ["$pending", { $not: [isLast] }] };
  const sums = {
    size: { $sum: { $cond: [notAdmitted, 0, { $add: ["$c.ready", "$c.delayed", "$c.leased"] }] } },
    waits: { $sum: { $cond: [isLast, 1, 0] } },
  };
  const stages = [{ $match: { q: queue } }, { $group: { _id: null, ...sums } }];
  // By the one index whose fields never change: a page that moves in it meanwhile would be missed.
  const [found] = await call.read(({ pages }) =>
    pages.aggregate<{ size: number; waits: number }>(stages, { hint: "n", ...within(session) }).toArray(),
  );
  return found ?? { size: 0, waits: 0 };
}
