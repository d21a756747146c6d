/** One queue of the backend: its log, its waits, and the calls of the seam on it. */
import type {
  BackendEvent, Clock, ControlParams, ControlResult, DeliveredJob, PutOutcome, PutParams, QueueStats, ReadParams, ReadResult,
  SettleOutcome, SettleParams, StoredJob, TakeParams, TouchParams, WaitParams,
} from "@pq/core/backend"; // prettier-ignore
import { isPqError, PqError, sleep } from "@pq/core/backend";
import { listPage, slotsOfIds } from "@pq/core/state";
import type { Member } from "./commands.ts";
import { callError } from "./errors.ts";
import type { Members } from "./members.ts";
import type { Paths, QueuePaths } from "./paths.ts";
import { QueueLog } from "./queue-log.ts";
import { Replica } from "./replica.ts";
import type { ServerTime } from "./server-time.ts";
import { ensure } from "./session.ts";
import { type Place, storedView } from "./views.ts";
import { Waiting } from "./waiting.ts";
import type { ZkClient } from "./zk-client.ts";

/** What a queue needs of its backend. */
export interface QueueContext {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly time: ServerTime;
  readonly members: Members;
  readonly address: string;
  readonly restricted: boolean;
  use(): ZkClient;
  member(): Member;
  /** Is the session of this process over, and no other there yet? */
  isOver(): boolean;
  report(event: BackendEvent): void;
}

/** How much later each of those who saw a session end looks after it, and how many that goes on for, in ms. */
const BEHIND = 25;
const MOST_BEHIND = 20;

/** A queue. */
export class ZkQueue {
  readonly name: string;
  readonly #context: QueueContext;
  readonly #paths: QueuePaths;
  readonly #log: QueueLog;
  readonly #waiting: Waiting;
  /** Is it known to be among the names of queues? */
  #named = false;
  #reaping = false;
  /** Sessions of this process that are over: what they held is given back with the next call. */
  readonly #own: Member[] = [];

  constructor(name: string, context: QueueContext) {
    this.name = name;
    this.#context = context;
    this.#paths = context.paths.queue(name);
    this.#log = new QueueLog({ ...context, name, paths: this.#paths }, () => this.#changed());
    this.#waiting = new Waiting(this.#log, {
      paths: this.#paths,
      clock: context.clock,
      time: context.time,
      member: () => context.member(),
    });
  }

  async put({ request, after, jobs, maxSize, partial }: PutParams): Promise<readonly PutOutcome[]> {
    const outcomes = await this.#log.submit({ type: "put", request, after, jobs, maxSize, partial });
    if (outcomes === null) throw new PqError("UNAVAILABLE", "the put before this one has not come");
    if (!this.#named && outcomes.some(({ status }) => status === "added")) await this.#enterName();
    return outcomes;
  }

  async take({ request, limit, lease }: TakeParams): Promise<readonly DeliveredJob[]> {
    await this.#disown();
    for (;;) {
      if (!(await this.#mayHaveJobs(request))) return [];
      const views = await this.#log.submit({ type: "take", request, limit, lease });
      if (views.length === 0) return [];
      const jobs = await this.#complete(views, true);
      if (jobs.length > 0) return jobs;
    }
  }

  async settle({ request, items }: SettleParams): Promise<readonly SettleOutcome[]> {
    await this.#disown();
    return this.#log.submit({ type: "settle", request, items });
  }

  async touch({ request, items }: TouchParams): Promise<readonly boolean[]> {
    // Cut off for longer than the session lasts: nobody need be asked.
    if (this.#context.isOver()) return items.map(() => false);
    await this.#disown();
    return this.#log.submit({ type: "touch", request, items });
  }

  async control(params: ControlParams): Promise<ControlResult> {
    return this.#log.submit({ type: "control", params });
  }

  wait(params: WaitParams): Promise<void> {
    return this.#waiting.wait(params).catch((error: unknown) => {
      throw callError(error, this.#context.address, false);
    });
  }

  async read(params: ReadParams): Promise<ReadResult> {
    const replica = await this.#log.current();
    if (replica === null) return { jobs: [], cursor: null };
    const { slots, cursor } =
      "ids" in params
        ? { slots: slotsOfIds(replica.queue, params.ids), cursor: null }
        : listPage(replica.queue, params);
    const views = slots.map((slot) => storedView(replica, slot));
    const jobs: readonly StoredJob[] = await this.#complete(views, false);
    return { jobs, cursor };
  }

  async stats(): Promise<QueueStats> {
    const replica = (await this.#log.current()) ?? new Replica(this.name);
    return replica.stats();
  }

  /** A watch fired. */
  fired(path: string): void {
    this.#waiting.fired(path);
  }

  /** The connection was lost. */
  down(): void {
    this.#waiting.down();
  }

  /** There is a new session in the place of this one of ours. */
  lost(member: Member): void {
    if (this.#log.replica !== null) this.#own.push(member);
  }

  /** Give back what sessions hold that are over. Of those who know, one after the other tries, so that one of them does it. */
  async reap(): Promise<void> {
    const { members, clock } = this.#context;
    await sleep(clock, Math.min(members.rank(this.#context.member()), MOST_BEHIND) * BEHIND);
    await this.#reap();
  }

  /** Everybody who waits goes home. */
  stopWaiting(): void {
    this.#waiting.close();
  }

  /** Give back what this process holds. */
  async close(): Promise<void> {
    await this.#log.close();
    try {
      const member = this.#context.member();
      const holds = this.#log.replica?.members().has(member) ?? false;
      if (holds) await this.#log.submit({ type: "gone", members: [member] });
    } catch {
      // The end of the session gives it back as well.
    }
  }

  #changed(): void {
    const replica = this.#log.replica;
    if (replica !== null) replica.line.onWoken = (waiting) => this.#waiting.woken(waiting);
    this.#waiting.changed();
  }

  /** Is there anything to take, or may there be? */
  async #mayHaveJobs(request: TakeParams["request"]): Promise<boolean> {
    const known = this.#log.replica;
    if (known !== null && known.deliverable > 0) return true;
    const replica = await this.#log.current();
    if (replica === null) return false;
    if (replica.deliverable > 0 || replica.queue.heldBy(request).length > 0) return true;
    await this.#reap();
    return replica.deliverable > 0;
  }

  /** What sessions of ours held that are over is not held any more. */
  async #disown(): Promise<void> {
    if (this.#own.length === 0) return;
    const members = this.#own.splice(0);
    try {
      await this.#log.submit({ type: "gone", members });
    } catch (error) {
      this.#own.push(...members);
      throw error;
    }
  }

  async #reap(): Promise<void> {
    const { members } = this.#context;
    const known = this.#log.replica;
    if (known === null || this.#reaping || members.missing(known.members()).length === 0) return;
    this.#reaping = true;
    try {
      // The server that is asked may be behind the one that the log was read from. After a write it is not.
      const zk = this.#context.use();
      const replica = await this.#log.current();
      if (replica === null || zk !== this.#context.use()) return;
      const gone = await members.gone(zk, members.missing(replica.members()));
      if (gone.length > 0) await this.#log.submit({ type: "gone", members: gone });
    } finally {
      this.#reaping = false;
    }
  }

  /** The queue has had a job: from now on it is among those that are known. */
  async #enterName(): Promise<void> {
    const { path, group } = this.#context.paths.name(this.name);
    const { restricted } = this.#context;
    try {
      const zk = this.#context.use();
      for (const node of [group, path]) await ensure(zk, node, restricted);
      this.#named = true;
    } catch (error) {
      // The jobs are stored by now.
      throw unknown(callError(error, this.#context.address, true));
    }
  }

  /** Add the records. Jobs whose records are damaged are put aside. `changed`: the call has changed something already. */
  async #complete<T extends object>(
    views: readonly { readonly place: Place; readonly job: T & { readonly id: StoredJob["id"] } }[],
    changed: boolean,
  ): Promise<(T & { readonly id: StoredJob["id"]; readonly payload: Uint8Array; readonly headers: string })[]> {
    const { address } = this.#context;
    try {
      const records = await this.#log.bodies.load(
        this.#context.use(),
        views.map(({ place }) => place),
      );
      const jobs = [];
      for (const [index, { job, place }] of views.entries()) {
        const record = records[index] ?? null;
        if (record !== null) jobs.push({ ...job, payload: new Uint8Array(record.payload), headers: record.headers });
        else await this.#putAside(job.id, place.page.position);
      }
      return jobs;
    } catch (error) {
      // Core makes the call again, and finds the jobs leased already.
      const failure = callError(error, address, changed);
      throw changed && isPqError(failure, "UNAVAILABLE") ? unknown(failure) : failure;
    }
  }

  /** The record of a job is damaged, unless the job is gone meanwhile, and its entry with it. */
  async #putAside(id: StoredJob["id"], position: number): Promise<void> {
    const replica = await this.#log.current();
    if (replica === null || slotsOfIds(replica.queue, [id]).length === 0) return;
    await this.#log.submit({ type: "drop", id, position });
    const where = this.#paths.entry(position);
    this.#context.report({ type: "damage", message: `the record of job ${id} is damaged`, queue: this.name, where });
  }
}

/** Something was done before this failed. */
function unknown({ message, cause }: PqError): PqError {
  return new PqError("OUTCOME_UNKNOWN", message, { cause });
}
