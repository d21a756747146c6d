/** Consumes in the two ways there are: a worker with handlers, and a loop that takes jobs and settles them itself. */
import { fixed, type Job, type Queue, UnrecoverableError, type Worker } from "@pq/core";
import type { How, Outcome } from "../event.ts";
import type { Random } from "../random.ts";
import { now, pass } from "../time.ts";
import { codeOf, type Log, outcomeOf } from "./log.ts";
import { isSound, type Payload } from "./payload.ts";
import { LEASE } from "./spec.ts";

/** How long a failed job waits, in ms. */
const BACKOFF = 150;

/** What a consumer works with. */
export interface ConsumerParts {
  readonly queue: Queue<Payload>;
  readonly log: Log;
  readonly random: Random;
  /** Of each call, in ms. */
  readonly deadline: number;
  /** From now on everything goes well. */
  readonly isCalm: () => boolean;
  /** Aborts when it is to end. */
  readonly signal: AbortSignal;
}

type Trouble = "none" | "slow" | "long" | "block" | "fail" | "bury" | "release" | "requeue" | "touch";

/** What goes wrong, and how often. `long` is longer than the lease, `block` stops the event loop for longer than the lease. */
const troubles: Readonly<Record<Trouble, number>> = {
  none: 1000,
  slow: 50,
  long: 6,
  block: 0.5,
  fail: 60,
  bury: 3,
  release: 15,
  requeue: 8,
  touch: 20,
};

function troubleFor(job: Job<Payload>, { random, isCalm }: ConsumerParts): Trouble {
  const trouble = isCalm() ? "none" : random.weighted(troubles);
  // A requeue gives up the place in the group, and with it the order that is checked.
  return trouble === "requeue" && job.group !== null ? "release" : trouble;
}

// ---- with handlers --------------------------------------------------------------------------------------------------

/** Start a worker. Its settlements are those of the library, which tells of them by events. */
export function work(parts: ConsumerParts): Worker<Payload> {
  const { queue, log } = parts;
  const settling = new Map<string, number>();
  const worker = queue.work(async (job) => handle(job, parts, settling), { concurrency: 8, backoff: fixed(BACKOFF) });
  const ended = (job: Job<Payload>, end: (call: number) => void): void => {
    const call = settling.get(`${job.id}/${job.fence}`);
    settling.delete(`${job.id}/${job.fence}`);
    if (call !== undefined) end(call);
  };
  worker.on("completed", ({ job }) => ended(job, (call) => log.end(call, "ok")));
  worker.on("failed", ({ job }) => ended(job, (call) => log.end(call, "ok")));
  worker.on("buried", ({ job }) => ended(job, (call) => log.end(call, "ok")));
  worker.on("lost", ({ job }) => ended(job, (call) => log.end(call, "lost")));
  // Failures of the store are what the run is about; only what becomes of a settlement matters here.
  worker.on("error", ({ error, jobId }) => {
    const key = [...settling.keys()].find((each) => each.startsWith(`${jobId}/`));
    if (key === undefined) return;
    log.end(settling.get(key)!, outcomeOf(error), { code: codeOf(error) });
    settling.delete(key);
  });
  return worker;
}

async function handle(job: Job<Payload>, parts: ConsumerParts, settling: Map<string, number>): Promise<void> {
  const { log } = parts;
  delivered(job, log, 0);
  const trouble = troubleFor(job, parts);
  await suffer(trouble, parts);
  hold(job, log);
  const begin = (how: How, delay = 0): void => {
    settling.set(`${job.id}/${job.fence}`, log.settle(job, how, { delay }));
  };
  if (trouble === "fail") {
    begin("fail", BACKOFF);
    throw new Error("a handler that fails");
  }
  if (trouble === "bury") {
    begin("bury");
    throw new UnrecoverableError("a handler that gives up");
  }
  if (trouble === "release" || trouble === "requeue") {
    if ((await settle(job, trouble, parts)) !== "refused") return;
    // To return now would be to ack.
    begin("fail", BACKOFF);
    throw new Error("a handler that could not give its job back");
  }
  if (trouble === "touch") await touch(job, parts);
  begin("ack");
}

// ---- by hand --------------------------------------------------------------------------------------------------------

/** Take and settle until the end. These leases are not renewed, so some of them run out. */
export async function pull(parts: ConsumerParts): Promise<void> {
  const { queue, log, random, deadline, signal } = parts;
  while (!signal.aborted) {
    const wait = random.chance(0.5) ? 1000 : 0;
    const since = now();
    const query = { type: "query", name: "take", deadline: wait + deadline } as const;
    const jobs = await log.call(query, () => queue.takeMany(1 + random.below(3), { wait }));
    // Each is counted from the moment of the call, which no lease began before.
    for (const job of jobs ?? []) delivered(job, log, since + job.leaseDuration);
    await Promise.all((jobs ?? []).map((job) => settleByHand(job, parts)));
    if (jobs === undefined || jobs.length === 0) await pass(50);
  }
}

async function settleByHand(job: Job<Payload>, parts: ConsumerParts): Promise<void> {
  const { log } = parts;
  const trouble = troubleFor(job, parts);
  await suffer(trouble, parts);
  hold(job, log);
  if (trouble === "touch") await touch(job, parts);
  const how =
    trouble === "fail" || trouble === "bury" || trouble === "release" || trouble === "requeue" ? trouble : "ack";
  await settle(job, how, parts);
}

async function settle(job: Job<Payload>, how: How, { log, deadline }: ConsumerParts): Promise<Outcome> {
  const delay = how === "fail" || how === "release" ? BACKOFF : 0;
  const call = log.settle(job, how, { delay, deadline });
  try {
    await send(job, how, delay);
    log.end(call, "ok");
    return "ok";
  } catch (error) {
    log.end(call, outcomeOf(error), { code: codeOf(error) });
    return outcomeOf(error);
  }
}

async function send(job: Job<Payload>, how: How, delay: number): Promise<void> {
  switch (how) {
    case "ack":
      return job.ack();
    case "fail":
      return job.fail(new Error("a consumer that fails"), { delay });
    case "release":
      return job.release({ delay });
    case "requeue":
      return job.requeue();
    case "bury":
      return job.bury("a consumer that gives up");
  }
}

// ---- both -----------------------------------------------------------------------------------------------------------

function delivered(job: Job<Payload>, log: Log, until: number): void {
  const { id, fence, attempt, maxAttempts, payload } = job;
  // The time first: what the library says now is true of then, too.
  const at = now();
  const held = job.holdsLease();
  const sound = isSound(payload, id);
  log.recorder.write({ type: "deliver", at, id, fence, attempt, maxAttempts, sound, held, until });
}

function hold(job: Job<Payload>, log: Log): void {
  const at = now();
  if (job.holdsLease()) log.recorder.write({ type: "hold", at, id: job.id, fence: job.fence });
}

async function touch(job: Job<Payload>, { log, deadline }: ConsumerParts): Promise<void> {
  await log.call({ type: "query", name: "progress", deadline }, () => job.progress({ half: true }));
  hold(job, log);
}

async function suffer(trouble: Trouble, { random, log }: ConsumerParts): Promise<void> {
  if (trouble === "slow") await pass(random.between(20, 800));
  if (trouble === "long") await pass(random.between(1, 1.8) * LEASE);
  if (trouble !== "block") return;
  const at = now();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1.3 * LEASE);
  log.recorder.write({ type: "blocked", at, until: now() });
}
