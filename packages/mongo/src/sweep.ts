/**
 * Payloads whose page never came, since their put was broken off before it. Somebody who opens the store looks for them, once a day:
 *
 *     walk the pages that payloads name --> which of them are not there? --> wait --> those that are not there still: delete
 *
 * A page that is to come is never harmed. What is younger than an hour is left alone; and should the server's clock have stepped, the
 * wait, by a clock that never does, is longer than any put with its repetitions.
 */
import { type Clock, systemClock } from "@pq/core/backend";
import type { Call } from "./call.ts";
import { upsert } from "./upsert.ts";

/** How often, in ms by the server's clock. */
const EVERY = 86_400_000;
/** How old payloads without a page are at least, in ms by the server's clock. */
const OLD = 3_600_000;
/** Between the two looks, in ms. A put takes 10 minutes at most, and is not repeated after a minute. */
const WAIT = 15 * 60_000;
/** Documents of payloads that are walked at a time. */
const BATCH = 1000;
/** Pages without which payloads are found that are remembered till the second look. The rest is for another day. */
const MOST = 10_000;

/** What a sweep needs. */
export interface Sweeper {
  /** A new call. */
  readonly call: () => Call;
  /** When it aborts, nothing is deleted any more. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** Pages that are not there, of one queue. */
interface Missing {
  readonly queue: string;
  readonly pages: readonly string[];
}

/** Sweep, if nobody has today. Rejects as calls do: then it is for another day. The wait does not keep the process alive. */
export async function sweep({ call, signal, clock = systemClock }: Sweeper): Promise<void> {
  if (!(await isOurTurn(call()))) return;
  const missing: Missing[] = [];
  let left = MOST;
  for await (const found of lookForMissing(call, signal)) {
    missing.push(found);
    left -= found.pages.length;
    if (left <= 0) break;
  }
  if (missing.length === 0) return;
  await pause(clock, WAIT, signal);
  for (const { queue, pages } of missing) {
    if (signal.aborted) return;
    await remove(call(), queue, pages);
  }
}

/** Once a day, and not on the first: who sees it first has nothing to do. */
async function isOurTurn(call: Call): Promise<boolean> {
  const stages = [{ $match: { _id: "sweep" } }, { $project: { at: 1, now: "$$NOW" } }];
  const [last] = await call.read(({ meta }) => meta.aggregate<{ at: Date; now: Date }>(stages).toArray());
  const filter = { _id: "sweep" as const, ...(last && { at: { $lte: new Date(last.now.getTime() - EVERY) } }) };
  const { modifiedCount } = await upsert(() =>
    call.write(({ meta }) => meta.updateOne(filter, { $currentDate: { at: true } }, { upsert: last === undefined })),
  );
  return modifiedCount === 1;
}

async function* lookForMissing(newCall: () => Call, signal: AbortSignal): AsyncGenerator<Missing, void> {
  const heads = await newCall().read(({ heads }) => heads.find({}, { projection: { _id: 1 } }).toArray());
  for (const { _id: queue } of heads) {
    let last = "";
    while (!signal.aborted) {
      const call = newCall();
      const named = await namedAfter(call, queue, last);
      if (named === undefined) break;
      last = named.last;
      const pages = await onlyOld(call, queue, await notThere(call, queue, named.pages));
      if (pages.length > 0) yield { queue, pages };
    }
  }
}

/** The next pages that payloads name, in order. */
async function namedAfter(
  call: Call,
  queue: string,
  last: string,
): Promise<{ readonly pages: readonly string[]; readonly last: string } | undefined> {
  const found = await call.read(({ bodies }) =>
    bodies
      .find({ q: queue, page: { $gt: last } }, { projection: { _id: 0, page: 1 } })
      .sort({ page: 1 })
      .limit(BATCH)
      .toArray(),
  );
  const pages = [...new Set(found.map(({ page }) => page))];
  const end = pages.at(-1);
  return end === undefined ? undefined : { pages, last: end };
}

/** Which of these pages are not there. */
async function notThere(call: Call, queue: string, ids: readonly string[]): Promise<string[]> {
  const filter = { _id: { $in: [...ids] }, q: queue };
  const found = await call.read(({ pages }) => pages.find(filter, { projection: { _id: 1 } }).toArray());
  const there = new Set(found.map(({ _id }) => _id));
  return ids.filter((id) => !there.has(id));
}

/** Which of these pages have no payload that came lately. */
async function onlyOld(call: Call, queue: string, pages: readonly string[]): Promise<string[]> {
  if (pages.length === 0) return [];
  const stages = [{ $match: { q: queue, page: { $in: pages } } }, { $project: { page: 1, at: 1, now: "$$NOW" } }];
  const found = await call.read(({ bodies }) =>
    bodies.aggregate<{ page: string; at: Date; now: Date }>(stages).toArray(),
  );
  const young = new Set(found.filter(({ at, now }) => now.getTime() - at.getTime() < OLD).map(({ page }) => page));
  return pages.filter((page) => !young.has(page));
}

async function remove(call: Call, queue: string, pages: readonly string[]): Promise<void> {
  const missing = await notThere(call, queue, pages);
  if (missing.length > 0) await call.write(({ bodies }) => bodies.deleteMany({ q: queue, page: { $in: missing } }));
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = clock.timer(ms, end, { background: true });
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
