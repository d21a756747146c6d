/**
 * Ids and keys, of which a queue has each only once. Each page lists those of its jobs in `names`, under a unique index, so a put whose names
 * are taken cannot be stored. A name stays listed when its job is gone: whoever needs it takes it out of the page then, and leaves in `was` that
 * a job of this id was there, for the sake of calls that are repeated.
 */
import { Binary } from "mongodb";
import { type JobId, jobIdToBytes, type NewJob, type PutOutcome } from "@pq/core/backend";
import type { Call } from "./call.ts";
import type { Page } from "./page/page.ts";
import type { PageJob } from "./page/job.ts";
import { namesOf } from "./page/put.ts";
import type { QueueParts } from "./parts.ts";

/** The jobs of a queue that hold some names. */
export interface Holders {
  readonly ids: ReadonlySet<JobId>;
  readonly keys: ReadonlyMap<string, JobId>;
}

/** Nobody holds anything, as far as is known. */
export const nobody: Holders = { ids: new Set(), keys: new Map() };

/** The name of a job's id. */
export function idName(id: JobId): Binary {
  return new Binary(jobIdToBytes(id));
}

/** Decide about each job of a put. `room` for so many; with room for only some, `partial` takes those from the front, else none. */
export function planPut(
  jobs: readonly NewJob[],
  { ids, keys }: Holders,
  { room, partial }: { readonly room: number; readonly partial: boolean } = { room: Infinity, partial: true },
): PutOutcome[] {
  const taken = new Map(keys);
  let left = room;
  const outcomes = jobs.map(({ id, key }): PutOutcome => {
    const holder = ids.has(id) ? id : key === null ? undefined : taken.get(key);
    if (holder !== undefined) return { status: "duplicate", id: holder };
    if (left-- <= 0) return { status: "full" };
    if (key !== null) taken.set(key, id);
    return { status: "added" };
  });
  const refused = !partial && outcomes.some(({ status }) => status === "full");
  return refused ? jobs.map(() => ({ status: "full" })) : outcomes;
}

/**
 * Who holds names of these jobs. Names that no job holds any more are free afterwards, but for those of `pending`: pages that were not admitted
 * yet.
 */
export async function findHolders(
  call: Call,
  parts: QueueParts,
  jobs: readonly NewJob[],
): Promise<{ readonly holders: Holders; readonly pending: readonly string[] }> {
  const wanted = jobs.flatMap(namesOf);
  const seen = await parts.pages.read(call, { names: { $in: wanted } });
  const pages = seen.map(({ page }) => page);
  // A job whose time ran out is only gone for good once that is stored.
  const changed = pages.filter((page) => page.changed);
  if (!(await parts.pages.writeAll(call, changed))) return findHolders(call, parts, jobs);
  const [pending, visible] = [pages.filter((page) => page.pending), pages.filter((page) => !page.pending)];
  for (const page of visible) await freeNames(call, page, wanted);
  return { holders: holdersIn(pages), pending: pending.map(({ id }) => id) };
}

/** What the jobs of these pages hold. */
export function holdersIn(pages: readonly Page[]): Holders {
  const jobs = pages.flatMap((page) => page.jobs.filter(({ state }) => state !== "gone"));
  return {
    ids: new Set(jobs.map(({ id }) => id)),
    keys: new Map(jobs.filter(holdsKey).map(({ key, id }) => [key!, id])),
  };
}

async function freeNames(call: Call, page: Page, wanted: readonly (string | Binary)[]): Promise<void> {
  const { ids, keys } = holdersIn([page]);
  const held = new Set([...[...ids].map((id) => textOf(idName(id))), ...[...keys.keys()].map((key) => `k${key}`)]);
  const free = wanted.filter((name) => !held.has(textOf(name)));
  if (free.length === 0) return;
  const known = new Set(page.jobs.map(({ id }) => textOf(idName(id))));
  const was = free.filter((name) => name instanceof Binary && known.has(textOf(name))) as Binary[];
  const filter = { _id: page.id, q: page.queue };
  const update = { $pull: { names: { $in: free as string[] } } };
  await call.write(({ pages }) =>
    pages.updateOne(filter, was.length === 0 ? update : { ...update, $addToSet: { was: { $each: was } } }),
  );
}

function holdsKey({ key, state }: PageJob): boolean {
  return key !== null && state !== "done" && state !== "gone";
}

function textOf(name: string | Binary): string {
  return typeof name === "string" ? name : name.toString("hex");
}
