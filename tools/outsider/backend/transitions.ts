/** What the calls that change something do to a queue. Bytes are copied in, since those of a request share one buffer. */
import type {
  ControlParams,
  ControlResult,
  DeliveredJob,
  JobId,
  LeaseProof,
  NewJob,
  PutOutcome,
} from "@pq/core/backend";
import type { PutParams, RequestId, SettleOutcome, Settlement, TakeParams, Touch } from "@pq/core/backend";
import { delivered } from "./look.ts";
import type { Change } from "./protocol.ts";
import { attemptsAreOver, type Item, type JobQueue } from "./queue.ts";

export const REPEAT_WINDOW = { ms: 60_000, calls: 10_000 };
/** A take stops here, so that its answer fits into a frame. */
export const MOST_BYTES = 64 * 1024 * 1024;

const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

/**
 * Do one call at the time `now`. `changed` says whether it must be kept in the log. Repeated calls and takes that find nothing
 * change nothing. A take repeats itself by what it still holds, any other call by the answer that was remembered.
 */
export function apply(
  queue: JobQueue,
  change: Change,
  now: number,
): { readonly answer: unknown; readonly changed: boolean } {
  queue.catchUp(now);
  const { request } = change.params;
  if (change.op === "take") {
    const held = queue.takes.get(request);
    const jobs = held === undefined ? take(queue, change.params, now) : [...held].map(delivered);
    return { answer: jobs, changed: held === undefined && jobs.length > 0 };
  }
  const known = queue.answers.get(request);
  if (known !== undefined && known.at + REPEAT_WINDOW.ms > now) return { answer: known.answer, changed: false };
  const answer = perform(queue, change, now);
  remember(queue, request, now, answer);
  return { answer, changed: true };
}

function perform(queue: JobQueue, change: Exclude<Change, { op: "take" }>, now: number): unknown {
  switch (change.op) {
    case "put":
      return put(queue, change.params, now);
    case "settle":
      return change.params.items.map((item) => settle(queue, item, now));
    case "touch":
      return change.params.items.map((item) => touch(queue, item, now));
    case "control":
      return control(queue, change.params);
  }
}

function remember({ answers }: JobQueue, request: RequestId, now: number, answer: unknown): void {
  answers.delete(request);
  answers.set(request, { at: now, answer });
  for (const [old, { at }] of answers) {
    if (at + REPEAT_WINDOW.ms > now && answers.size <= REPEAT_WINDOW.calls) return;
    answers.delete(old);
  }
}

/** Decide about every job first, then store. */
function put(queue: JobQueue, params: PutParams, now: number): readonly PutOutcome[] {
  const outcomes = decide(queue, params);
  if (!params.partial && outcomes.some(({ status }) => status === "full")) {
    return outcomes.map(() => ({ status: "full" }));
  }
  params.jobs.forEach((job, index) => {
    if (outcomes[index]?.status === "added") add(queue, job, now);
    if (outcomes[index]?.status === "duplicate") queue.counters.duplicate++;
  });
  return outcomes;
}

function decide({ items, keys, counts }: JobQueue, { jobs, maxSize }: PutParams): PutOutcome[] {
  const claimed = new Map<string, JobId>();
  let room = (maxSize ?? Infinity) - counts.ready - counts.delayed - counts.leased;
  return jobs.map(({ id, key }) => {
    const keyHolder = key === null ? undefined : (keys.get(key) ?? claimed.get(key));
    const holder = items.has(id) ? id : keyHolder;
    if (holder !== undefined) return { status: "duplicate", id: holder };
    if (room <= 0) return { status: "full" };
    room--;
    if (key !== null) claimed.set(key, id);
    return { status: "added" };
  });
}

const noHistory = {
  until: null,
  alarm: 0,
  since: 0,
  position: null,
  attempt: 0,
  fence: 0,
  lease: 0,
  takenBy: null,
} as const;
const noTraces = { buryReason: null, lastError: null, progress: null, result: null } as const;

function add(queue: JobQueue, given: NewJob, now: number): void {
  const job = { ...given, payload: copy(given.payload) };
  const { id, key, urgent, due, ttl } = job;
  const times = { createdAt: now, expiresAt: ttl === null ? null : now + ttl };
  const item: Item = { job, ...times, ...noHistory, ...noTraces, state: "ready", urgent, returned: false };
  queue.items.set(id, item);
  if (key !== null) queue.keys.set(key, id);
  queue.counters.put++;
  if (urgent) queue.counters.urgent++;
  const dueAt = due === null ? now : "in" in due ? now + due.in : due.at;
  if (dueAt > now) return queue.enter(item, "delayed", dueAt);
  item.position = urgent ? -queue.draw() : queue.draw();
  queue.enter(item, "ready");
}

function take(queue: JobQueue, { request, limit, lease }: TakeParams, now: number): readonly DeliveredJob[] {
  const given = new Set<Item>();
  let bytes = 0;
  while (queue.available > 0 && given.size < limit && bytes < MOST_BYTES) {
    const item = queue.offered.first;
    if (item === undefined) break;
    queue.leave(item);
    item.attempt++;
    item.fence = queue.draw();
    item.lease = item.job.lease ?? lease;
    item.takenBy = request;
    queue.enter(item, "leased", now + item.lease);
    queue.counters.take++;
    bytes += item.job.payload.length;
    given.add(item);
  }
  if (given.size > 0) queue.takes.set(request, given);
  return [...given].map(delivered);
}

/** The job, if this is its newest lease. `catchUp` has ended those that ran out. */
function leased(queue: JobQueue, { id, fence }: LeaseProof): Item | undefined {
  const item = queue.items.get(id);
  return item?.state === "leased" && item.fence === fence ? item : undefined;
}

function settle(queue: JobQueue, settlement: Settlement, now: number): SettleOutcome {
  const item = leased(queue, settlement);
  if (item === undefined) return "lost";
  if (settlement.type !== "bury") queue.counters[settlement.type]++; // `bury` counts for itself
  switch (settlement.type) {
    case "ack":
      return acknowledge(queue, item, settlement.result, now);
    case "release":
      item.attempt--;
      queue.giveBack(item, later(now, settlement.delay));
      break;
    case "requeue":
      item.attempt--;
      queue.sendToEnd(item);
      break;
    case "fail":
      item.lastError = settlement.error;
      if (attemptsAreOver(item)) queue.bury(item, "failed");
      else queue.giveBack(item, later(now, settlement.delay));
      break;
    case "bury":
      item.lastError = settlement.error ?? item.lastError;
      queue.bury(item, "buried");
  }
  return item.state;
}

const later = (now: number, delay: number): number | null => (delay > 0 ? now + delay : null);

function acknowledge(queue: JobQueue, item: Item, result: Uint8Array | null, now: number): SettleOutcome {
  const { keepResult } = item.job;
  if (keepResult === null) {
    queue.remove(item, null);
    return "gone";
  }
  queue.leave(item);
  item.result = result && copy(result);
  queue.enter(item, "done", now + keepResult);
  return "done";
}

function touch(queue: JobQueue, { lease, progress, ...proof }: Touch, now: number): boolean {
  const item = leased(queue, proof);
  if (item === undefined) return false;
  item.until = Math.max(item.until ?? 0, now + lease);
  queue.schedule(item);
  if (progress !== null) item.progress = copy(progress);
  queue.counters.touch++;
  return true;
}

function control(queue: JobQueue, params: ControlParams): ControlResult {
  switch (params.type) {
    case "kick": {
      const chosen = firstOf(queue.buried, params.limit);
      chosen.forEach((item) => revive(queue, item, "kick"));
      return { count: chosen.length, outcomes: [] };
    }
    case "dig":
      return each(queue, params.ids, (item) => item.state === "buried" && revive(queue, item, "dig"));
    case "delete":
      return each(queue, params.ids, (item) => discard(queue, item));
    case "truncate":
      return { count: [...queue.items.values()].filter((item) => discard(queue, item)).length, outcomes: [] };
    case "pause":
    case "resume":
      queue.paused = params.type === "pause";
      return { count: 0, outcomes: [] };
  }
}

function firstOf<T>(items: Iterable<T>, limit: number): T[] {
  const first: T[] = [];
  for (const item of items) if (first.push(item) >= limit) break;
  return first;
}

function each(queue: JobQueue, ids: readonly JobId[], act: (item: Item) => boolean): ControlResult {
  const outcomes = ids.map((id) => {
    const item = queue.items.get(id);
    if (item === undefined) return "not-found";
    return act(item) ? "done" : "invalid-state";
  });
  return { count: outcomes.filter((outcome) => outcome === "done").length, outcomes };
}

function revive(queue: JobQueue, item: Item, counter: "kick" | "dig"): true {
  queue.counters[counter]++;
  item.attempt = 0;
  item.buryReason = null;
  queue.sendToEnd(item);
  return true;
}

function discard(queue: JobQueue, item: Item): true {
  queue.remove(item, "delete");
  return true;
}
