import { readFile, rename, writeFile } from "node:fs/promises";
import { deserialize, serialize } from "node:v8";
import { defineCapabilities, PqError, sleep, systemClock, UNLIMITED_ATTEMPTS } from "@pq/core/backend";
import type {
  Backend,
  BuryReason,
  Capabilities,
  Clock,
  ControlParams,
  ControlResult,
  Counters,
} from "@pq/core/backend";
import type { DeliveredJob, Guarantees, JobId, JobState, LeaseProof, NewJob, PutOutcome } from "@pq/core/backend";
import type { PutParams, QueueStats, ReadParams, ReadResult, RequestId, SettleOutcome } from "@pq/core/backend";
import type { Settlement, SettleParams, StoredJob, TakeParams, Timer, Touch, TouchParams } from "@pq/core/backend";
import type { WaitParams } from "@pq/core/backend";

/** A job in the store. */
interface Item {
  readonly job: NewJob;
  readonly createdAt: number;
  state: JobState;
  /** When the state ends by itself: the due time, the end of the lease, or the end of a kept result. */
  until: number | null;
  /** The moment of the last change of state, as a count. */
  since: number;
  urgent: boolean;
  returned: boolean;
  /** `null` until the job is ready for the first time. */
  position: number | null;
  attempt: number;
  fence: number;
  lease: number;
  takenBy: RequestId | null;
  buryReason: BuryReason | null;
  lastError: string | null;
  progress: Uint8Array | null;
  result: Uint8Array | null;
}

/** One queue: plain data, so that it can be written to a file as it is. */
interface QueueData {
  readonly items: Map<JobId, Item>;
  readonly counters: { -readonly [name in keyof Counters]: number };
  /** The answers of recent calls, oldest first. */
  readonly answers: Map<RequestId, { readonly at: number; readonly answer: unknown }>;
  paused: boolean;
  /** The one counter that positions, fences and changes of state are drawn from. It never goes back. */
  last: number;
}

function newQueue(): QueueData {
  const counters = {
    put: 0,
    urgent: 0,
    take: 0,
    ack: 0,
    release: 0,
    requeue: 0,
    fail: 0,
    bury: 0,
    kick: 0,
    dig: 0,
    delete: 0,
    touch: 0,
    expired: 0,
    leaseExpired: 0,
    duplicate: 0,
  };
  return { items: new Map(), counters, answers: new Map(), paused: false, last: 0 };
}

const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);
const expiresAt = ({ job, createdAt }: Item): number | null => (job.ttl === null ? null : createdAt + job.ttl);
const isOpen = ({ state }: Item): boolean => state === "ready" || state === "delayed" || state === "leased";
const all = (queue: QueueData, state: JobState): Item[] =>
  [...queue.items.values()].filter((item) => item.state === state);

function enter(queue: QueueData, item: Item, state: JobState, until: number | null = null): void {
  item.state = state;
  item.until = until;
  item.since = ++queue.last;
  if (state !== "leased") item.takenBy = null;
}

/** Do all that was due by `now`. Every operation begins with it. */
function catchUp(queue: QueueData, now: number): void {
  const due = [...queue.items.values()].filter(({ until }) => until !== null && until <= now);
  for (const item of due.sort((a, b) => (a.until ?? 0) - (b.until ?? 0) || a.since - b.since)) {
    if (item.state === "done") queue.items.delete(item.job.id);
    else if (item.state === "delayed") makeReady(queue, item);
    else expireLease(queue, item);
  }
  for (const item of [...all(queue, "ready"), ...all(queue, "delayed")]) {
    if ((expiresAt(item) ?? Infinity) <= now) remove(queue, item, "expired");
  }
}

function makeReady(queue: QueueData, item: Item): void {
  item.position ??= ++queue.last;
  enter(queue, item, "ready");
}

function expireLease(queue: QueueData, item: Item): void {
  queue.counters.leaseExpired++;
  if (attemptsAreOver(item)) bury(queue, item, "lease-expired");
  else giveBack(queue, item, null);
}

const attemptsAreOver = ({ attempt, job: { maxAttempts } }: Item): boolean =>
  maxAttempts !== UNLIMITED_ATTEMPTS && attempt >= maxAttempts;

/** Back into the queue, to the place it had. */
function giveBack(queue: QueueData, item: Item, dueAt: number | null): void {
  item.returned = true;
  enter(queue, item, dueAt === null ? "ready" : "delayed", dueAt);
}

/** To the end of its priority, and no longer urgent. */
function toTheEnd(queue: QueueData, item: Item): void {
  item.urgent = false;
  item.returned = false;
  item.position = ++queue.last;
  enter(queue, item, "ready");
}

function bury(queue: QueueData, item: Item, reason: BuryReason): void {
  queue.counters.bury++;
  item.buryReason = reason;
  enter(queue, item, "buried");
}

function remove(queue: QueueData, item: Item, counter: "delete" | "expired"): void {
  queue.counters[counter]++;
  queue.items.delete(item.job.id);
}

/** Decide about every job first, then store: a refused put leaves nothing behind. */
function put(queue: QueueData, { jobs, maxSize, partial }: PutParams, now: number): PutOutcome[] {
  const keys = new Map<string, JobId>();
  for (const { job, state } of queue.items.values()) {
    if (job.key !== null && state !== "done") keys.set(job.key, job.id);
  }
  let room = (maxSize ?? Infinity) - [...queue.items.values()].filter(isOpen).length;
  const outcomes = jobs.map((job): PutOutcome => {
    const holder = queue.items.has(job.id) ? job.id : keys.get(job.key ?? "");
    if (holder !== undefined) return { status: "duplicate", id: holder };
    if (room-- <= 0) return { status: "full" };
    if (job.key !== null) keys.set(job.key, job.id);
    return { status: "added" };
  });
  if (!partial && outcomes.some(({ status }) => status === "full")) return jobs.map(() => ({ status: "full" }));
  for (const [index, job] of jobs.entries()) {
    if (outcomes[index]?.status === "added") add(queue, job, now);
    if (outcomes[index]?.status === "duplicate") queue.counters.duplicate++;
  }
  return outcomes;
}

function add(queue: QueueData, job: NewJob, now: number): void {
  const item: Item = {
    job: { ...job, payload: copy(job.payload) },
    createdAt: now,
    state: "ready",
    until: null,
    since: 0,
    urgent: job.urgent,
    returned: false,
    position: null,
    attempt: 0,
    fence: 0,
    lease: 0,
    takenBy: null,
    buryReason: null,
    lastError: null,
    progress: null,
    result: null,
  };
  queue.items.set(job.id, item);
  queue.counters.put++;
  if (job.urgent) queue.counters.urgent++;
  const dueAt = job.due === null ? now : "in" in job.due ? now + job.due.in : job.due.at;
  if (dueAt > now) return enter(queue, item, "delayed", dueAt);
  if (job.urgent) item.position = -++queue.last;
  makeReady(queue, item);
}

/** Lower comes out sooner. */
function comparePlaces(a: Item, b: Item): number {
  if (a.urgent !== b.urgent) return a.urgent ? -1 : 1;
  const byPosition = (a.position ?? 0) - (b.position ?? 0);
  if (a.urgent) return byPosition;
  return a.job.priority - b.job.priority || Number(b.returned) - Number(a.returned) || byPosition;
}

/** The jobs that a take may give out, in order: of each group only the head of its lane, and only while no member is leased. */
function deliverable(queue: QueueData): Item[] {
  if (queue.paused) return [];
  const busy = new Set(all(queue, "leased").map(({ job }) => job.group));
  const heads = new Map<string, Item>();
  for (const item of [...all(queue, "ready"), ...all(queue, "delayed")]) {
    const { group } = item.job;
    if (group === null || item.position === null) continue;
    if (item.position < (heads.get(group)?.position ?? Infinity)) heads.set(group, item);
  }
  const mayGo = (item: Item): boolean => {
    const { group } = item.job;
    return group === null || (heads.get(group) === item && !busy.has(group));
  };
  return all(queue, "ready").filter(mayGo).sort(comparePlaces);
}

/** When a job may next become ready by itself; `null`: never. */
function nextMoment({ items }: QueueData): number | null {
  const moments = [...items.values()].flatMap(({ state, until }) => (state === "done" ? [] : (until ?? [])));
  return moments.length === 0 ? null : Math.min(...moments);
}

function take(queue: QueueData, { request, limit, lease }: TakeParams, now: number): DeliveredJob[] {
  const again = all(queue, "leased").filter(({ takenBy }) => takenBy === request);
  if (again.length > 0) return again.sort((a, b) => a.since - b.since).map(delivered);
  return deliverable(queue)
    .slice(0, limit)
    .map((item) => {
      item.attempt++;
      item.fence = ++queue.last;
      item.lease = item.job.lease ?? lease;
      enter(queue, item, "leased", now + item.lease);
      item.takenBy = request;
      queue.counters.take++;
      return delivered(item);
    });
}

/** The job, if this is its newest lease. `catchUp` has ended those that ran out. */
function holder(queue: QueueData, { id, fence }: LeaseProof): Item | undefined {
  const item = queue.items.get(id);
  return item?.state === "leased" && item.fence === fence ? item : undefined;
}

function settle(queue: QueueData, items: readonly Settlement[], now: number): SettleOutcome[] {
  return items.map((settlement) => {
    const item = holder(queue, settlement);
    return item === undefined ? "lost" : settleOne(queue, item, settlement, now);
  });
}

function settleOne(queue: QueueData, item: Item, settlement: Settlement, now: number): SettleOutcome {
  if (settlement.type !== "bury") queue.counters[settlement.type]++; // bury() counts for itself
  const later = (delay: number): number | null => (delay > 0 ? now + delay : null);
  switch (settlement.type) {
    case "ack":
      if (item.job.keepResult === null) {
        queue.items.delete(item.job.id);
        return "gone";
      }
      item.result = settlement.result && copy(settlement.result);
      enter(queue, item, "done", now + item.job.keepResult);
      break;
    case "release":
      item.attempt--;
      giveBack(queue, item, later(settlement.delay));
      break;
    case "requeue":
      item.attempt--;
      toTheEnd(queue, item);
      break;
    case "fail":
      item.lastError = settlement.error;
      if (attemptsAreOver(item)) bury(queue, item, "failed");
      else giveBack(queue, item, later(settlement.delay));
      break;
    case "bury":
      item.lastError = settlement.error ?? item.lastError;
      bury(queue, item, "buried");
      break;
  }
  return item.state;
}

function touch(queue: QueueData, touches: readonly Touch[], now: number): boolean[] {
  return touches.map((each) => {
    const item = holder(queue, each);
    if (item === undefined) return false;
    item.until = Math.max(item.until ?? 0, now + each.lease);
    item.progress = each.progress === null ? item.progress : copy(each.progress);
    queue.counters.touch++;
    return true;
  });
}

function control(queue: QueueData, params: ControlParams): ControlResult {
  switch (params.type) {
    case "kick": {
      const chosen = listed(queue, "buried").slice(0, params.limit);
      for (const item of chosen) revive(queue, item, "kick");
      return { count: chosen.length, outcomes: [] };
    }
    case "dig":
      return each(queue, params.ids, (item) => item.state === "buried" && revive(queue, item, "dig"));
    case "delete":
      return each(queue, params.ids, (item) => remove(queue, item, "delete") === undefined);
    case "truncate": {
      const count = queue.items.size;
      for (const item of queue.items.values()) remove(queue, item, "delete");
      return { count, outcomes: [] };
    }
    case "pause":
    case "resume":
      queue.paused = params.type === "pause";
      return { count: 0, outcomes: [] };
  }
}

function revive(queue: QueueData, item: Item, counter: "kick" | "dig"): true {
  queue.counters[counter]++;
  item.attempt = 0;
  item.buryReason = null;
  toTheEnd(queue, item);
  return true;
}

function each(queue: QueueData, ids: readonly JobId[], act: (item: Item) => boolean): ControlResult {
  const outcomes = ids.map((id) => {
    const item = queue.items.get(id);
    if (item === undefined) return "not-found";
    return act(item) ? "done" : "invalid-state";
  });
  return { count: outcomes.filter((outcome) => outcome === "done").length, outcomes };
}

function read(queue: QueueData, params: ReadParams): ReadResult {
  if ("ids" in params) {
    const found = params.ids.flatMap((id) => queue.items.get(id) ?? []);
    return { jobs: found.map(stored), cursor: null };
  }
  const items = listed(queue, params.state);
  const start = Number(params.cursor ?? 0);
  const end = start + params.limit;
  return { jobs: items.slice(start, end).map(stored), cursor: end < items.length ? String(end) : null };
}

/** The order in which the jobs of a state are listed. Buried jobs are kicked in this order. */
function listed(queue: QueueData, state: JobState): Item[] {
  const byTime = (a: Item, b: Item): number => (a.until ?? 0) - (b.until ?? 0) || a.since - b.since;
  const orders = { ready: comparePlaces, delayed: byTime, leased: byTime };
  const order = state === "buried" || state === "done" ? (a: Item, b: Item) => a.since - b.since : orders[state];
  return all(queue, state).sort(order);
}

function stats(queue: QueueData): QueueStats {
  const count = (state: JobState): number => all(queue, state).length;
  return {
    ready: count("ready"),
    delayed: count("delayed"),
    leased: count("leased"),
    buried: count("buried"),
    done: count("done"),
    paused: queue.paused,
    counters: { ...queue.counters },
  };
}

function delivered(item: Item): DeliveredJob {
  const { job, fence, attempt, lease, createdAt, lastError, progress } = item;
  const { id, headers, priority, key, group, maxAttempts } = job;
  const bytes = { payload: copy(job.payload), progress: progress && copy(progress) };
  return { id, fence, headers, priority, key, group, attempt, maxAttempts, lease, createdAt, lastError, ...bytes };
}

function stored(item: Item): StoredJob {
  const { job, state, urgent, attempt, fence, createdAt, until, buryReason, lastError, progress, result } = item;
  const { id, headers, priority, key, group, maxAttempts } = job;
  return {
    id,
    state,
    headers,
    priority,
    urgent,
    key,
    group,
    attempt,
    maxAttempts,
    fence,
    createdAt,
    buryReason,
    lastError,
    payload: copy(job.payload),
    progress: progress && copy(progress),
    result: result && copy(result),
    dueAt: state === "delayed" ? until : null,
    expiresAt: expiresAt(item),
    leaseUntil: state === "leased" ? until : null,
  };
}

const FORMAT = 1;
const REPEAT_WINDOW = { ms: 60_000, calls: 1_000 };

/** What the store can do. Importable without opening anything. */
export const snapshotCapabilities: Capabilities = defineCapabilities({
  maxBatch: 1_000,
  lateness: 20,
  repeatWindow: REPEAT_WINDOW,
  shared: false,
});

/** The answer of this request: the one it got before, or that of `act`. */
function answerOnce<T>({ answers }: QueueData, request: RequestId, now: number, act: () => T): T {
  for (const [old, { at }] of answers) {
    if (at + REPEAT_WINDOW.ms > now && answers.size <= REPEAT_WINDOW.calls) break;
    answers.delete(old);
  }
  const known = answers.get(request);
  if (known !== undefined) return known.answer as T;
  const answer = act();
  answers.set(request, { at: now, answer });
  return answer;
}

/** Everything there is, as it stands in the file. */
interface Contents {
  readonly format: number;
  readonly queues: Map<string, QueueData>;
}

/** A store in one file, written anew for every change: for learning, not for load. One process at a time. */
export class SnapshotBackend implements Backend {
  readonly name = "snapshot";
  readonly capabilities: Capabilities = snapshotCapabilities;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #alarms = new Map<string, Timer>();
  #contents: Contents | undefined;
  #closed = false;
  /** The step that runs, or ran last: steps happen one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: string, options: { readonly clock?: Clock } = {}) {
    this.#file = file;
    this.#clock = options.clock ?? systemClock;
  }

  open(): Promise<Guarantees> {
    return this.#inTurn(async () => {
      this.#contents ??= await this.#load();
      this.#closed = false;
      // `rename` replaces the file at once, but nothing makes the disk keep it: it survives the process, not the machine.
      return { durability: "process", store: "snapshot file", warnings: [] };
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const queue of this.#waiters.keys()) this.#wake(queue, Infinity);
    for (const alarm of this.#alarms.values()) alarm.cancel();
    await this.#inTurn(async () => void (this.#contents = undefined));
  }

  put(params: PutParams): Promise<readonly PutOutcome[]> {
    return this.#change(params, (queue, now) => put(queue, params, now));
  }

  /** Repeats itself by `takenBy` instead of a remembered answer: only what is still leased may be given again. */
  take(params: TakeParams): Promise<readonly DeliveredJob[]> {
    const found = (jobs: DeliveredJob[]): boolean => jobs.length > 0;
    return this.#step(params.queue, (queue, now) => take(queue, params, now), found);
  }

  settle(params: SettleParams): Promise<readonly SettleOutcome[]> {
    return this.#change(params, (queue, now) => settle(queue, params.items, now));
  }

  touch(params: TouchParams): Promise<readonly boolean[]> {
    return this.#change(params, (queue, now) => touch(queue, params.items, now));
  }

  control(params: ControlParams): Promise<ControlResult> {
    return this.#change(params, (queue) => control(queue, params));
  }

  read(params: ReadParams): Promise<ReadResult> {
    return this.#step(params.queue, (queue) => read(queue, params));
  }

  stats(queue: string): Promise<QueueStats> {
    return this.#step(queue, (data) => stats(data));
  }

  queues(): Promise<readonly string[]> {
    return this.#call(async ({ queues }) => {
      const everHadJobs = [...queues].filter(([, { counters }]) => counters.put > 0);
      return everHadJobs.map(([name]) => name);
    });
  }

  /** Resolves when a job can be taken, when it is woken, or at the timeout. */
  async wait({ queue, timeout, signal }: WaitParams): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    const waiters = this.#waiters.get(queue) ?? new Set();
    this.#waiters.set(queue, waiters.add(wake));
    try {
      const ready = await this.#step(queue, (data) => deliverable(data).length > 0);
      if (!ready) await sleep(this.#clock, timeout, AbortSignal.any([signal, woken.signal]));
    } finally {
      waiters.delete(wake);
    }
  }

  // ---- steps ------------------------------------------------------------------------------------------------------

  /** A step that changes something: it is remembered, and when it is repeated it answers as the first time. */
  #change<T>(params: { queue: string; request: RequestId }, act: (data: QueueData, now: number) => T): Promise<T> {
    const once = (data: QueueData, now: number): T => answerOnce(data, params.request, now, () => act(data, now));
    return this.#step(params.queue, once, () => true);
  }

  /** One atomic step on one queue: alone, after catching up, and in the file before it is told. */
  #step<T>(
    queue: string,
    act: (data: QueueData, now: number) => T,
    save: (result: T) => boolean = () => false,
  ): Promise<T> {
    return this.#call(async ({ queues }) => {
      const data = queues.get(queue) ?? newQueue();
      queues.set(queue, data);
      const now = this.#clock.now();
      const before = deliverable(data).length;
      catchUp(data, now);
      const result = act(data, now);
      if (save(result)) await this.#save();
      this.#wake(queue, deliverable(data).length - before);
      this.#setAlarm(queue, data, now);
      return result;
    });
  }

  /** Calls made before `close` are still answered, later ones are not. */
  async #call<T>(act: (contents: Contents) => Promise<T>): Promise<T> {
    if (this.#closed) throw new PqError("CLOSED", "the snapshot backend is closed");
    return this.#inTurn(async () => act((this.#contents ??= await this.#load())));
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Wake as many waiters as there are new jobs, the longest waiting first. */
  #wake(queue: string, count: number): void {
    for (const wake of [...(this.#waiters.get(queue) ?? [])].slice(0, Math.max(0, count))) {
      this.#waiters.get(queue)?.delete(wake);
      wake();
    }
  }

  /** While somebody waits, look again when the next job may become ready by itself. */
  #setAlarm(queue: string, data: QueueData, now: number): void {
    this.#alarms.get(queue)?.cancel();
    const moment = nextMoment(data);
    if (moment === null || (this.#waiters.get(queue)?.size ?? 0) === 0) return;
    const look = (): void => void this.#step(queue, () => undefined).catch(() => undefined);
    this.#alarms.set(queue, this.#clock.timer(Math.max(1, moment - now), look, { background: true }));
  }

  // ---- the file ---------------------------------------------------------------------------------------------------

  async #load(): Promise<Contents> {
    const bytes = await readFile(this.#file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return serialize({ format: FORMAT, queues: new Map() });
      throw new PqError("UNAVAILABLE", "the file cannot be read", { cause: error });
    });
    const contents = this.#parse(bytes);
    if (contents.format > FORMAT) throw new PqError("INCOMPATIBLE_VERSION", `the file is of format ${contents.format}`);
    return contents;
  }

  #parse(bytes: Buffer): Contents {
    try {
      return deserialize(bytes) as Contents;
    } catch (cause) {
      throw new PqError("CORRUPT", "the file is damaged", { cause });
    }
  }

  /** Write a new file and put it in the place of the old one. When that fails the old one is still whole, so nothing was applied. */
  async #save(): Promise<void> {
    try {
      await writeFile(`${this.#file}.new`, serialize(this.#contents));
      await rename(`${this.#file}.new`, this.#file);
    } catch (cause) {
      this.#contents = undefined; // memory is ahead of the file: the next call reads it again
      throw new PqError("UNAVAILABLE", "the file cannot be written", { cause });
    }
  }
}
