/**
 * What must be true of all that is stored of a queue, whatever was done and broken off before. It reads the collections as they are, so
 * nobody may be at work. Tells what is not true, for people; nothing: all is well.
 */
import { isDeepStrictEqual } from "node:util";
import { type JobId, jobIdToBytes } from "@pq/core/backend";
import { type Db, MongoClient } from "mongodb";
import { firstMembers, isMember } from "../src/lanes.ts";
import { unpackBody } from "../src/page/body.ts";
import type { PageJob, RecordState } from "../src/page/job.ts";
import { derived, type Page, readPage } from "../src/page/page.ts";
import { comparePositions, positionBytes } from "../src/page/place.ts";
import {
  type BodyDocument,
  collections,
  type Collections,
  type GroupDocument,
  type HeadDocument,
  type LaneDocument,
  laneId,
  type PageDocument,
} from "../src/schema.ts";

/** What the caller knows of what was done. */
export interface Done {
  /** Housekeeping has worked off all that was left undone. Default false. */
  readonly settled?: boolean;
  /** Puts were broken off, which leaves payloads without a page until a sweep. Default false. */
  readonly brokenOff?: boolean;
}

/** All of a queue. */
interface Stored {
  readonly head: HeadDocument | undefined;
  readonly documents: readonly PageDocument[];
  /** Those that can be read, by their ids. */
  readonly pages: ReadonlyMap<string, Page>;
  readonly bodies: ReadonlyMap<string, BodyDocument>;
  readonly lanes: readonly LaneDocument[];
  readonly turns: ReadonlyMap<string, GroupDocument>;
}

/** What is wrong with this queue. */
export async function broken(db: Db, q: string, { settled = false, brokenOff = false }: Done = {}): Promise<string[]> {
  const all = collections(db, "pq", { promoteBuffers: false });
  const found: string[] = [];
  const stored = await load(all, q, found);
  return [
    ...found,
    ...stored.documents.flatMap((document) => pageFaults(document, stored)),
    ...nameFaults(stored),
    ...bodyFaults(stored, brokenOff),
    ...laneFaults(stored),
    ...turnFaults(stored),
    ...headFaults(stored),
    ...(settled ? undoneFaults(stored) : []),
  ];
}

/** The states of all jobs that pages know of, by their ids: those that are gone, too, for a minute after the last one of their page is. */
export async function statesOf(db: Db, q: string): Promise<ReadonlyMap<JobId, readonly RecordState[]>> {
  const { pages } = await load(collections(db, "pq", { promoteBuffers: false }), q, []);
  const states = new Map<JobId, RecordState[]>();
  const visible = [...pages.values()].filter(({ pending }) => !pending);
  for (const { id, state } of visible.flatMap(({ jobs }) => jobs)) states.set(id, [...(states.get(id) ?? []), state]);
  return states;
}

/** `broken` for a database of this server. */
export async function brokenAt(url: string, db: string, queue: string, done: Done): Promise<string[]> {
  const client = new MongoClient(url);
  try {
    return await broken(client.db(db), queue, done);
  } finally {
    await client.close();
  }
}

async function load(all: Collections, q: string, found: string[]): Promise<Stored> {
  const [heads, documents, bodies, lanes, turns] = await Promise.all([
    all.heads.find({ q }).toArray(),
    all.pages.find({ q }).toArray(),
    all.bodies.find({ q }).toArray(),
    all.lanes.find({ q }).toArray(),
    all.groups.find({ q }).toArray(),
  ]);
  const pages = new Map<string, Page>();
  for (const document of documents) {
    try {
      if (document.damaged !== true) pages.set(document._id, readPage(document));
    } catch (error) {
      found.push(`page ${document._id}: ${String(error)}`);
    }
  }
  return {
    head: heads[0],
    documents,
    pages,
    bodies: new Map(bodies.map((body) => [body._id, body])),
    lanes,
    turns: new Map(turns.map((turn) => [turn.g, turn])),
  };
}

// ---- pages ----------------------------------------------------------------------------------------------------------

function pageFaults(document: PageDocument, { pages }: Stored): string[] {
  const page = pages.get(document._id);
  if (page === undefined) return [];
  const found: string[] = [];
  for (const [name, value] of Object.entries(derived(page))) {
    const has = document[name as keyof PageDocument];
    if (!isDeepStrictEqual(plain(has), plain(value))) {
      found.push(`${name} is ${show(has)}, and should be ${show(value)}`);
    }
  }
  const { k } = document;
  const gone = page.jobs.filter(({ state }) => state === "gone").length;
  const over = gone + document.c.done;
  if (k.put !== page.jobs.length) found.push(`put is ${k.put}, and there are ${page.jobs.length} jobs`);
  if (k.delete === 0 && over !== k.ack + k.expired) found.push(`${over} jobs are over, by the counters ${show(k)}`);
  if (over > k.ack + k.expired + k.delete) found.push(`${over} jobs are over, by the counters ${show(k)}`);
  if ((page.closed !== null) !== (gone === page.jobs.length)) {
    found.push(`${gone} jobs are gone, closed ${page.closed}`);
  }
  for (const job of page.jobs) found.push(...jobFaults(job).map((text) => `job ${job.id} (${job.state}) ${text}`));
  return found.map((text) => `page ${document._id} (n ${page.n}, v ${page.version}): ${text}`);
}

function jobFaults(job: PageJob): string[] {
  const { state, until, takenBy, buryReason, since, armed, group, attempt, maxAttempts, deliveries } = job;
  const found: string[] = [];
  const expect = (isRight: boolean, text: string): void => void (isRight || found.push(text));
  expect((takenBy !== null) === (state === "leased"), `was taken by ${takenBy}`);
  expect((until !== null) === (state === "leased" || state === "delayed" || state === "done"), `until ${until}`);
  expect((buryReason !== null) === (state === "buried"), `has a reason: ${buryReason}`);
  expect((since !== null) === (state === "buried" || state === "done"), `since ${show(since)}`);
  expect(!armed || state === "ready" || state === "leased", "is armed");
  expect(!armed || group !== null, "is armed without a group");
  expect(armed || state !== "leased" || group === null, "is not armed");
  expect(attempt <= maxAttempts && attempt <= deliveries && attempt >= 0, `has ${attempt} attempts of ${maxAttempts}`);
  return found;
}

/** No two pages have one live name, and each live name is there. */
function nameFaults({ documents, pages }: Stored): string[] {
  const found: string[] = [];
  const holders = new Map<string, string>();
  for (const { _id, names } of documents) {
    const listed = names.map((name) => (typeof name === "string" ? name : name.toString("hex")));
    for (const name of listed) {
      const other = holders.get(name);
      if (other !== undefined) found.push(`${name} is a name of ${other} and of ${_id}`);
      holders.set(name, _id);
    }
    const live = (pages.get(_id)?.jobs ?? []).filter(({ state }) => state !== "gone");
    for (const { id, key, state } of live) {
      if (!listed.includes(Buffer.from(jobIdToBytes(id)).toString("hex"))) found.push(`${_id} lacks the name of ${id}`);
      if (key !== null && state !== "done" && !listed.includes(`k${key}`)) found.push(`${_id} lacks the key ${key}`);
    }
  }
  return found;
}

function bodyFaults({ pages, bodies }: Stored, brokenOff: boolean): string[] {
  const found: string[] = [];
  for (const page of pages.values()) {
    for (const job of page.jobs) {
      if (job.state === "gone" || job.state === "damaged") continue;
      const chunk = page.body ?? bodies.get(`${page.id}/${Math.floor(job.index / page.per)}`)?.p.buffer;
      if (chunk === undefined || !isThere(chunk, job, page.per)) found.push(`the payload of ${job.id} is missing`);
      for (const name of [job.lastError, job.progress, job.result]) {
        if (name !== null && !bodies.has(`${page.id}/${name}`)) {
          found.push(`what ${job.id} points at is missing: ${name}`);
        }
      }
    }
  }
  if (brokenOff) return found;
  const orphans = [...bodies.values()].filter(({ page }) => !pages.has(page));
  return [...found, ...orphans.map(({ _id }) => `${_id} has no page`)];
}

function isThere(chunk: Uint8Array, { index, size }: PageJob, per: number): boolean {
  try {
    unpackBody(chunk, index % per, size);
    return true;
  } catch {
    return false;
  }
}

// ---- groups ---------------------------------------------------------------------------------------------------------

/** A lane's place is a lower bound, and no member is without one that is not on a list of work to be done. */
function laneFaults({ pages, lanes }: Stored): string[] {
  const found: string[] = [];
  const byId = new Map(lanes.map((lane) => [lane._id, lane]));
  for (const { _id, page, g } of lanes) {
    if (_id !== laneId(page, g)) found.push(`lane ${_id} is that of ${g} in ${page}`);
    if (!pages.has(page)) found.push(`lane ${_id} has no page`);
  }
  for (const page of pages.values()) {
    // Whose TTL is over is nobody's member, written down or not.
    const jobs = page.jobs.filter(({ expiresAt }) => expiresAt === null || expiresAt > Date.now());
    for (const [group, job] of firstMembers({ ...page, jobs }, groupsOf([page]))) {
      if (page.todo.has(group)) continue;
      const lane = byId.get(laneId(page.id, group));
      if (lane === undefined) found.push(`no lane leads to ${job.id} of ${group} in ${page.id}`);
      else if (Buffer.compare(lane.p.buffer, positionBytes(job).buffer) > 0) found.push(`lane ${lane._id} is too high`);
    }
  }
  return found;
}

/** One job of a group at most has a turn, and it is the one that the turn names. */
function turnFaults({ pages, turns }: Stored): string[] {
  const found: string[] = [];
  const armed = new Map<string, PageJob>();
  for (const page of pages.values()) {
    for (const job of page.jobs) {
      if (job.group === null || !job.armed) continue;
      if (page.pending) found.push(`${job.id} is armed, and nobody sees its page`);
      const other = armed.get(job.group);
      if (other !== undefined) found.push(`${job.id} and ${other.id} both have the turn of ${job.group}`);
      armed.set(job.group, job);
      const turn = turns.get(job.group);
      if (turn?.page !== page.id || turn.index !== job.index) {
        found.push(`${job.id} of ${job.group} is armed, and the turn is that of ${turn?.page}/${turn?.index}`);
      }
    }
  }
  return found;
}

/** Once all is done, each group's turn is that of its first member, or of the one that is leased. */
function undoneFaults({ head, pages, turns }: Stored): string[] {
  const found: string[] = [];
  const visible = [...pages.values()].filter(({ pending }) => !pending);
  for (const { id, todo } of visible) {
    if (todo.size > 0) found.push(`page ${id} has to look after ${[...todo].join(", ")}`);
  }
  if ((head?.fold?.pages.length ?? 0) > 0) found.push(`pages are being folded: ${head?.fold?.pages.join(", ")}`);
  return [...found, ...[...groupsOf(visible)].flatMap((group) => groupFaults(group, visible, turns.get(group)))];
}

function groupFaults(group: string, pages: readonly Page[], turn: GroupDocument | undefined): string[] {
  const all = pages.flatMap((page) => page.jobs.map((job) => ({ page, job })));
  const ofGroup = all.filter(({ job }) => job.group === group);
  const leased = ofGroup.find(({ job }) => job.state === "leased");
  const [first] = ofGroup.filter(({ job }) => isMember(job)).sort((a, b) => comparePositions(a.job, b.job));
  const wanted = leased ?? first;
  // Without members it may have a turn of nobody who waits: `turns.ts`.
  if (wanted === undefined) return [];
  const { page, job } = wanted;
  const found: string[] = [];
  if (turn?.page !== page.id || turn.index !== job.index) {
    found.push(`the turn of ${group} is that of ${job.id}, and not of ${turn?.page}/${turn?.index}`);
  }
  if (job.state === "ready" && !job.armed) found.push(`${job.id} is the first of ${group}, and nobody gets it`);
  return found;
}

function groupsOf(pages: Iterable<Page>): ReadonlySet<string> {
  return new Set([...pages].flatMap(({ jobs }) => jobs.flatMap(({ group }) => (group === null ? [] : [group]))));
}

// ---- the head -------------------------------------------------------------------------------------------------------

function headFaults({ head, documents }: Stored): string[] {
  if (head === undefined) return ["it has no head"];
  const found: string[] = [];
  const numbers = new Map<number, string>();
  for (const { _id, n } of documents) {
    if (n > head.n) found.push(`page ${_id} has the number ${n}, which was never drawn: ${head.n}`);
    if (numbers.has(n)) found.push(`pages ${_id} and ${numbers.get(n)} have one number: ${n}`);
    numbers.set(n, _id);
  }
  for (const id of head.fold?.pages ?? []) {
    const page = documents.find(({ _id }) => _id === id);
    if (page !== undefined && page.closed === undefined) found.push(`page ${id} is being folded, and has jobs`);
  }
  for (const [name, count] of Object.entries(head.total ?? {})) {
    if (!Number.isSafeInteger(count) || count < 0) found.push(`the counter ${name} is ${count}`);
  }
  return found;
}

/** As one can compare it. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 200 ? `${text.slice(0, 200)} …` : text;
}
