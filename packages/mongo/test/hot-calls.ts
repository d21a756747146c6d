/** A queue with many pages, and the calls that a busy queue sees, so that all commands of theirs are sent: for tests of these. */
import { type Backend, type NewJob, newRequestId, type PutParams, sleep, systemClock } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { resolvePending } from "../src/admission.ts";
import { chunkDocuments } from "../src/bodies.ts";
import { claim, giveBack } from "../src/claim.ts";
import { fold } from "../src/fold.ts";
import { packBodies } from "../src/page/body.ts";
import { newPage, pageDocument } from "../src/page/put.ts";
import type { BodyDocument, PageDocument } from "../src/schema.ts";
import type { PageQueue } from "./page-store.ts";
import { newJobs, type Seam } from "./site.ts";

/** What is in a queue. */
export interface Size {
  /** Pages of several jobs, and how many each has. */
  readonly pages: number;
  readonly jobs: number;
  /** Pages of one job: one in three is delayed. For each ten of them there is one that is over. */
  readonly lone: number;
}

/** Pages that are stored at a time. */
const BATCH = 50;
const HOUR = 3_600_000;
/** By then a wait has looked once, and found nothing. */
const QUIET = 500;
const LARGE = Buffer.alloc(5000, "x");

/** Fill an empty queue, without its calls. */
export async function fill(queue: PageQueue, size: Size): Promise<void> {
  let n = 0;
  const pages: PageDocument[] = [];
  const bodies: BodyDocument[] = [];
  const store = async (): Promise<void> => {
    if (pages.length > 0) await queue.all.pages.insertMany(pages.splice(0), { ordered: false });
    if (bodies.length > 0) await queue.all.bodies.insertMany(bodies.splice(0), { ordered: false });
  };
  const now = Date.now();
  for (const jobs of putsOf(size)) {
    const drawn = { n: ++n, at: jobs.length === 0 ? now - HOUR : now };
    const packed = packBodies(jobs);
    const outcomes = jobs.map(() => ({ status: "added" }) as const);
    const page = newPage({ queue: queue.name, request: newRequestId(), jobs }, outcomes, drawn, packed);
    pages.push(pageDocument(page, jobs, outcomes));
    bodies.push(...chunkDocuments(page, packed.chunks));
    if (pages.length === BATCH) await store();
  }
  await store();
  await queue.all.heads.insertOne({ _id: queue.name, q: queue.name, n, at: new Date(now) });
}

function* putsOf({ pages, jobs, lone }: Size): Generator<NewJob[], void> {
  for (let at = 0; at < pages; at++) yield newJobs(jobs);
  for (let at = 0; at < lone; at++) yield [newJob(at % 3 === 0 ? { due: { in: HOUR } } : {})];
  for (let at = 0; at < lone / 10; at++) yield [];
}

/** Who makes the calls. */
export interface Callers {
  /** Two processes at the queue that was filled. */
  readonly seam: Seam;
  readonly other: Seam;
  /** Two at an empty queue. */
  readonly idle: Seam;
  readonly busy: Seam;
  /** For steps that else only a race or the time would bring. */
  readonly steps: PageQueue;
}

/** Make them. */
export async function makeHotCalls(callers: Callers): Promise<void> {
  await puts(callers);
  await boundedPuts(callers);
  await deliveries(callers);
  await groups(callers);
  await waits(callers);
  await looks(callers);
  await operators(callers);
  await housekeeping(callers);
}

async function puts({ seam }: Callers): Promise<void> {
  await seam.put(newJob({ payload: LARGE }), newJob({ payload: LARGE }));
  await seam.put(newJob({ key: "k" }));
  await seam.put(newJob({ key: "k" }), newJob());
  const params = paramsOf(seam, [newJob()]);
  await seam.backend.put(params);
  await seam.backend.put(params);
}

async function boundedPuts({ seam }: Callers): Promise<void> {
  for (const maxSize of [10_000_000, 10_000_000, 1]) {
    await seam.backend.put({ ...paramsOf(seam, [newJob()]), maxSize });
  }
}

async function deliveries({ seam, other }: Callers): Promise<void> {
  await seam.put(newJob({ priority: -1, payload: LARGE }));
  await seam.put(newJob({ priority: -1 }));
  const [first, ...jobs] = await seam.take(8);
  await seam.ack(first!);
  await other.ack(jobs[0]!);
  const item = ({ id, fence }: (typeof jobs)[number]) => ({ id, fence });
  await seam.backend.touch({
    request: newRequestId(),
    queue: seam.name,
    items: [{ ...item(jobs[1]!), lease: 90_000, progress: Buffer.from("half") }],
  });
  await seam.settle(
    { ...item(jobs[1]!), type: "release", delay: 0 },
    { ...item(jobs[2]!), type: "requeue" },
    { ...item(jobs[3]!), type: "fail", delay: HOUR, error: "why" },
    { ...item(jobs[4]!), type: "bury", error: "why" },
    { ...item(jobs[5]!), type: "bury", error: null },
  );
}

/** Turns that end, are given back or taken away; a member that goes to the end of its group; a group that has none any more. */
async function groups({ seam, other }: Callers): Promise<void> {
  const member = (group: string, urgent = false): NewJob => newJob({ group, urgent, priority: -2 });
  for (let turn = 0; turn < 3; turn++) await seam.put(member("g"), member("h"));
  await other.put(member("g", true));
  for (let turn = 0; turn < 2; turn++) {
    const [first, ...rest] = await seam.take(2);
    await seam.settle({ ...first!, type: "release", delay: 0 });
    await other.ack(...rest);
  }
  for (let page = 0; page < 2; page++) await seam.put(newJob({ group: "r", priority: -3 }));
  const [requeued] = await seam.take();
  await seam.settle({ ...requeued!, type: "requeue" });
  await seam.put(newJob({ group: "s", priority: -4 }));
  await seam.ack(...(await seam.take()));
}

async function waits({ seam, idle, busy, steps }: Callers): Promise<void> {
  const wait = (backend: Backend, queue: string): Promise<void> =>
    backend.wait({ queue, timeout: 10_000, signal: new AbortController().signal });
  await wait(seam.backend, seam.name);
  const waiting = wait(idle.backend, idle.name);
  await sleep(systemClock, QUIET);
  await busy.put(...newJobs(2));
  await waiting;
  const pages = steps.sibling(idle.name).parts.pages;
  const [page] = await pages.outlook(steps.call(), { next: { $exists: true } }, { sort: { next: 1 }, limit: 1 });
  const called = { v: page!.v, k: 1, until: new Date(page!.now.getTime() + HOUR) };
  await claim(steps.call(), idle.name, { ...page!, called });
  await giveBack(steps.call(), idle.name, page!);
}

async function looks({ seam }: Callers): Promise<void> {
  const { backend, name: queue } = seam;
  const list = { queue, limit: 10, cursor: null };
  const { jobs } = await backend.read({ ...list, state: "buried" });
  await backend.read({ queue, ids: jobs.map(({ id }) => id) });
  await seam.stats();
}

async function operators({ seam, idle }: Callers): Promise<void> {
  const { backend, name: queue } = seam;
  await backend.control({ request: newRequestId(), queue, type: "kick", limit: 1 });
  const { jobs } = await backend.read({ queue, state: "buried", limit: 1, cursor: null });
  const ids = jobs.map(({ id }) => id);
  await backend.control({ request: newRequestId(), queue, type: "dig", ids });
  await backend.control({ request: newRequestId(), queue, type: "delete", ids });
  await seam.control("pause");
  await seam.control("resume");
  await idle.control("truncate");
}

async function housekeeping({ steps }: Callers): Promise<void> {
  steps.parts.time.saw(Date.now());
  await fold(steps.call(), steps.parts);
  const [job, outcomes] = [newJob(), [{ status: "added" }] as const];
  const drawn = { n: 1, at: Date.now() };
  const page = newPage(paramsOf(steps, [job]), outcomes, drawn, packBodies([job]));
  page.pending = true;
  await steps.all.pages.insertOne(pageDocument(page, [job], outcomes));
  await resolvePending(steps.call(), steps.parts, page.id);
}

function paramsOf({ name }: Pick<Seam, "name">, jobs: readonly NewJob[]): PutParams {
  const plain = { after: null, maxSize: null, partial: false, transaction: null };
  return { ...plain, request: newRequestId(), queue: name, jobs };
}
