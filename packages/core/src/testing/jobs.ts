/** What most rules do: put, take, settle and look, in as few words as possible. All of it through the seam. */
import assert from "node:assert/strict";
import type { Backend, PutOutcome, QueueStats, SettleOutcome, Settlement } from "../backend.ts";
import { newJobId, newRequestId } from "../id.ts";
import type { DeliveredJob, JobId, LeaseProof, NewJob, StoredJob } from "../job.ts";
import type { RuleContext } from "./rule.ts";

/** The queue that rules work on. */
export const QUEUE = "q";

/** A lease that no rule outlives, in milliseconds. */
export const LONG = 60_000;

/** A lease, delay or TTL that rules do outlive: short, but long enough for a few calls to a slow server. */
export const SHORT = 300;

/** What is special about a job; the rest is as plain as can be. A string stands for its payload. */
export type JobFields = Partial<Omit<NewJob, "payload">> & { readonly payload?: Uint8Array | string };

/** A job to put: ready at once, priority 0, three attempts, nothing else, unless the fields say so. */
export function newJob(fields: JobFields | string = {}): NewJob {
  const { payload = "", ...rest } = typeof fields === "string" ? { payload: fields } : fields;
  return {
    id: newJobId(),
    priority: 0,
    urgent: false,
    due: null,
    ttl: null,
    lease: null,
    key: null,
    group: null,
    maxAttempts: 3,
    keepResult: null,
    headers: "",
    ...rest,
    payload: bytes(payload),
  };
}

/** The bytes of a text; bytes stay as they are. */
export function bytes(text: Uint8Array | string): Uint8Array {
  return typeof text === "string" ? Buffer.from(text) : text;
}

/** The payload of a job as text. */
export function text(job: { readonly payload: Uint8Array }): string {
  return Buffer.from(job.payload).toString();
}

/** The payloads of jobs as texts. */
export function texts(jobs: readonly { readonly payload: Uint8Array }[]): string[] {
  return jobs.map(text);
}

/** Put in one call, whatever becomes of it. */
export function put(backend: Backend, jobs: readonly NewJob[], queue: string = QUEUE): Promise<readonly PutOutcome[]> {
  return backend.put({ request: newRequestId(), queue, jobs, maxSize: null, partial: false });
}

/** Put in one call, and see that all were added. */
export async function putJobs(backend: Backend, ...jobs: readonly (JobFields | string)[]): Promise<NewJob[]> {
  const made = jobs.map((job) => newJob(job));
  const outcomes = await put(backend, made);
  for (const { status } of outcomes) assert.equal(status, "added", "a new job must be added");
  assert.equal(outcomes.length, made.length, "put must answer for each job");
  return made;
}

/** Put one job, and see that it was added. */
export async function putJob(backend: Backend, job: JobFields | string = {}): Promise<NewJob> {
  const [made] = await putJobs(backend, job);
  assert.ok(made);
  return made;
}

/** Take up to `limit` jobs. */
export function take(backend: Backend, limit = 1, lease: number = LONG): Promise<readonly DeliveredJob[]> {
  return backend.take({ request: newRequestId(), queue: QUEUE, limit, lease });
}

/** Take one job, which must be there. */
export async function takeOne(backend: Backend, lease: number = LONG): Promise<DeliveredJob> {
  const [job, ...more] = await take(backend, 1, lease);
  assert.ok(job, "take gave nothing although a job is ready");
  assert.equal(more.length, 0, "take gave more than its limit of 1");
  return job;
}

/** Put one job and take it. */
export async function putAndTake(
  backend: Backend,
  job: JobFields | string = {},
  lease: number = LONG,
): Promise<DeliveredJob> {
  const { id } = await putJob(backend, job);
  const taken = await takeOne(backend, lease);
  assert.equal(taken.id, id, "take gave another job than the only one that was put");
  return taken;
}

/** Take all there is, one by one, settling nothing: their payloads in the order in which they came. */
export async function drain(backend: Backend): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const [job] = await take(backend);
    if (job === undefined) return all;
    all.push(text(job));
    assert.ok(all.length <= 10_000, "take does not stop giving out jobs that are leased already");
  }
}

/** See that there is nothing to take. */
export async function assertNothing(backend: Backend, message: string): Promise<void> {
  assert.deepEqual(texts(await take(backend, 10)), [], message);
}

/** Settle in one call. */
export function settle(backend: Backend, ...items: readonly Settlement[]): Promise<readonly SettleOutcome[]> {
  return backend.settle({ request: newRequestId(), queue: QUEUE, items });
}

/** Extend one lease, and store progress unless it is `null`. Gives whether the store did. */
export async function touch(
  backend: Backend,
  { id, fence }: LeaseProof,
  lease: number,
  progress: Uint8Array | null = null,
): Promise<boolean | undefined> {
  const items = [{ id, fence, lease, progress }];
  return (await backend.touch({ request: newRequestId(), queue: QUEUE, items }))[0];
}

/** The settlement that says the job is done. */
export function ack({ id, fence }: LeaseProof, result: Uint8Array | null = null): Settlement {
  return { id, fence, type: "ack", result };
}

/** The settlement that gives the job back unharmed. */
export function release({ id, fence }: LeaseProof, delay = 0): Settlement {
  return { id, fence, type: "release", delay };
}

/** The settlement that sends the job to the end of its priority. */
export function requeue({ id, fence }: LeaseProof): Settlement {
  return { id, fence, type: "requeue" };
}

/** The settlement that says the attempt failed. */
export function fail({ id, fence }: LeaseProof, error = "it failed", delay = 0): Settlement {
  return { id, fence, type: "fail", delay, error };
}

/** The settlement that buries the job. */
export function bury({ id, fence }: LeaseProof, error: string | null = null): Settlement {
  return { id, fence, type: "bury", error };
}

/** Kick up to `limit` buried jobs; gives how many. */
export async function kick(backend: Backend, limit: number): Promise<number> {
  return (await backend.control({ request: newRequestId(), queue: QUEUE, type: "kick", limit })).count;
}

/** Look at one job. */
export async function look(backend: Backend, id: JobId): Promise<StoredJob | undefined> {
  return (await backend.read({ queue: QUEUE, ids: [id] })).jobs[0];
}

/** Look at one job, which must be there. */
export async function lookAt(backend: Backend, id: JobId): Promise<StoredJob> {
  const job = await look(backend, id);
  assert.ok(job, "read does not find a job that must be in the queue");
  return job;
}

/** The number of jobs in each state, without those that are 0. */
export async function counts(backend: Backend): Promise<Partial<Record<keyof QueueStats, number>>> {
  const { ready, delayed, leased, buried, done } = await backend.stats(QUEUE);
  return Object.fromEntries(Object.entries({ ready, delayed, leased, buried, done }).filter(([, count]) => count > 0));
}

/** Let time pass until something that lasts `ms` and began before this call is over for certain, at the store's stated lateness too. */
export function outlast(t: RuleContext, { capabilities }: Backend, ms: number): Promise<void> {
  return t.pass(ms + capabilities.lateness + capabilities.timePrecision);
}

/** How much time `takeSoon` gives a busy machine above what the store states, and how often it looks. Milliseconds. */
const SLACK = 1_000;
const STEP = 10;

/** Take until a job comes, for at most `ms`, the store's stated lateness, and some slack for a busy machine. */
export async function takeSoon(
  t: RuleContext,
  backend: Backend,
  ms: number,
  lease: number = LONG,
): Promise<DeliveredJob> {
  const { clock } = t.store;
  const end = clock.monotonic() + ms + backend.capabilities.lateness + SLACK;
  for (;;) {
    const [job] = await take(backend, 1, lease);
    if (job !== undefined) return job;
    assert.ok(clock.monotonic() < end, `no job came, though one was due after ${ms} ms at the latest`);
    await t.pass(STEP);
  }
}

/**
 * Starts now: see that at least `ms` have passed when the function it returns is called. Start it before the call that begins
 * the delay or lease and check it after the call that showed it to be over: then no slow machine can make it fail.
 */
export function notBefore(t: RuleContext, { capabilities }: Backend, ms: number): (what: string) => void {
  const start = t.store.clock.monotonic();
  return (what) => {
    const passed = t.store.clock.monotonic() - start;
    const tolerance = capabilities.timePrecision + 1; // the two ends are read on another clock than the store's
    assert.ok(passed >= ms - tolerance, `${what} after ${passed} ms instead of ${ms} ms`);
  };
}
