/**
 * One queue of the reference store: every transition of the contract as a plain synchronous method over a map of jobs.
 * This is the readable specification: it is written for clarity, and looks at all jobs where a real store has an index.
 *
 * Every operation first catches up with the clock (`catchUp`), then does its own step.
 * The steps are small methods so that the suite's mutants can break one at a time.
 */
import type {
  ControlParams,
  ControlResult,
  PutOutcome,
  PutParams,
  QueueStats,
  ReadParams,
  ReadResult,
  SettleOutcome,
  Settlement,
  TakeParams,
  Touch,
} from "../../backend.ts";
import type { BuryReason, DeliveredJob, JobId, JobState, LeaseProof, NewJob } from "../../job.ts";
import { type MutableCounters, newCounters } from "./counters.ts";
import { copy, delivered, type Entry, newEntry, stored } from "./entry.ts";
import { deliverable, listOrder } from "./order.ts";

/** The jobs, counters and transitions of one queue. */
export class ReferenceQueue {
  readonly jobs: Map<JobId, Entry> = new Map<JobId, Entry>();
  readonly counters: MutableCounters = newCounters();
  paused = false;
  /** The last position given out at the end, the last given out to an urgent job, the last fence, the last change of state. */
  protected lastPosition = 0;
  protected lastUrgentPosition = 0;
  protected lastFence = 0;
  protected lastChange = 0;

  // ---- operations -------------------------------------------------------------------------------------------------

  put({ jobs, maxSize, partial }: Pick<PutParams, "jobs" | "maxSize" | "partial">, now: number): PutOutcome[] {
    this.catchUp(now);
    const outcomes = this.plan(jobs, maxSize, partial);
    outcomes.forEach(({ status }, index) => {
      if (status === "added") this.add(jobs[index]!, now);
      if (status === "duplicate") this.counters.duplicate++;
    });
    return outcomes;
  }

  /** What would become of these jobs, were as many of them put as there is room for. */
  foresee(jobs: readonly NewJob[], maxSize: number | null, now: number): PutOutcome[] {
    this.catchUp(now);
    return this.plan(jobs, maxSize, true);
  }

  take({ request, limit, lease }: Pick<TakeParams, "request" | "limit" | "lease">, now: number): DeliveredJob[] {
    this.catchUp(now);
    const repeated = this.inState("leased").filter((entry) => entry.leasedBy === request);
    if (repeated.length > 0) return repeated.sort((a, b) => a.since - b.since).map(delivered);
    return this.deliverable()
      .slice(0, limit)
      .map((entry) => {
        this.deliver(entry, now, lease);
        entry.leasedBy = request;
        return delivered(entry);
      });
  }

  settle(items: readonly Settlement[], now: number): SettleOutcome[] {
    this.catchUp(now);
    return items.map((item) => {
      const entry = this.holder(item, now);
      return entry === undefined ? "lost" : this.settleOne(entry, item, now);
    });
  }

  touch(items: readonly Touch[], now: number): boolean[] {
    this.catchUp(now);
    return items.map((item) => {
      const entry = this.holder(item, now);
      if (entry === undefined) return false;
      this.extend(entry, item, now);
      return true;
    });
  }

  read(params: ReadParams, now: number): ReadResult {
    this.catchUp(now);
    if ("ids" in params) {
      const found = params.ids.map((id) => this.jobs.get(id)).filter((entry) => entry !== undefined);
      return { jobs: found.map(stored), cursor: null };
    }
    const all = this.listed(params.state);
    const from = Number(params.cursor ?? 0);
    const to = from + params.limit;
    return { jobs: all.slice(from, to).map(stored), cursor: to < all.length ? String(to) : null };
  }

  control(params: ControlParams, now: number): ControlResult {
    this.catchUp(now);
    switch (params.type) {
      case "kick": {
        const chosen = this.listed("buried").slice(0, params.limit);
        for (const entry of chosen) this.revive(entry, "kick");
        return { count: chosen.length, outcomes: [] };
      }
      case "dig":
        return this.each(
          params.ids,
          (entry) => entry.state === "buried",
          (entry) => this.revive(entry, "dig"),
        );
      case "delete":
        return this.each(
          params.ids,
          () => true,
          (entry) => this.remove(entry, "delete"),
        );
      case "truncate": {
        const count = this.jobs.size;
        for (const entry of this.jobs.values()) this.remove(entry, "delete");
        return { count, outcomes: [] };
      }
      case "pause":
      case "resume":
        this.paused = params.type === "pause";
        return { count: 0, outcomes: [] };
    }
  }

  stats(now: number): QueueStats {
    this.catchUp(now);
    const count = (state: JobState): number => this.inState(state).length;
    return {
      ready: count("ready"),
      delayed: count("delayed"),
      leased: count("leased"),
      buried: count("buried"),
      done: count("done"),
      paused: this.paused,
      counters: { ...this.counters },
    };
  }

  /** The server was killed and has started again. Everything is kept, so there is nothing to do. */
  restarted(): void {}

  /** The jobs that a take would give out now, in order. */
  deliverable(): Entry[] {
    return this.paused ? [] : deliverable(this.jobs.values());
  }

  /** For how many waiters there is a job now. */
  available(): number {
    return this.deliverable().length;
  }

  /** The next moment at which a job may become ready by itself, or `null`. */
  nextMoment(): number | null {
    const moments = [...this.jobs.values()].flatMap(({ dueAt, leaseUntil }) => dueAt ?? leaseUntil ?? []);
    return moments.length === 0 ? null : Math.min(...moments);
  }

  // ---- the clock --------------------------------------------------------------------------------------------------

  /** Do everything that was due by `now`. */
  catchUp(now: number): void {
    for (const entry of this.listed("leased")) if (this.leaseIsOver(entry, now)) this.expireLease(entry);
    for (const entry of this.listed("delayed")) if (entry.dueAt !== null && entry.dueAt <= now) this.fallDue(entry);
    for (const entry of this.jobs.values()) if (this.lifeIsOver(entry, now)) this.remove(entry, "expired");
    for (const entry of this.inState("done")) if ((entry.doneUntil ?? 0) <= now) this.jobs.delete(entry.id);
  }

  protected leaseIsOver(entry: Entry, now: number): boolean {
    return entry.leaseUntil !== null && entry.leaseUntil <= now;
  }

  protected lifeIsOver({ state, expiresAt }: Entry, now: number): boolean {
    return (state === "ready" || state === "delayed") && expiresAt !== null && expiresAt <= now;
  }

  protected expireLease(entry: Entry): void {
    this.counters.leaseExpired++;
    if (entry.attempt >= entry.maxAttempts) this.bury(entry, "lease-expired");
    else this.giveBack(entry);
  }

  protected fallDue(entry: Entry): void {
    entry.position ??= this.nextPosition();
    this.become(entry, "ready");
  }

  // ---- putting ----------------------------------------------------------------------------------------------------

  /** Decide about each job of a put, changing nothing. */
  protected plan(jobs: readonly NewJob[], maxSize: number | null, partial: boolean): PutOutcome[] {
    const ids = new Set(this.jobs.keys());
    const keys = this.heldKeys();
    let room = (maxSize ?? Infinity) - this.size();
    const outcomes = jobs.map((job): PutOutcome => {
      const holder = ids.has(job.id) ? job.id : job.key === null ? undefined : keys.get(job.key);
      if (holder !== undefined) return { status: "duplicate", id: holder };
      if (room-- <= 0) return { status: "full" };
      ids.add(job.id);
      if (job.key !== null) keys.set(job.key, job.id);
      return { status: "added" };
    });
    const refused = !partial && outcomes.some(({ status }) => status === "full");
    return refused ? jobs.map(() => ({ status: "full" })) : outcomes;
  }

  /** The keys in use. A done job no longer holds its key. */
  protected heldKeys(): Map<string, JobId> {
    const held = [...this.jobs.values()].filter(({ key, state }) => key !== null && state !== "done");
    return new Map(held.map(({ key, id }) => [key ?? "", id]));
  }

  /** The number that `maxSize` limits. */
  protected size(): number {
    return this.inState("ready").length + this.inState("delayed").length + this.inState("leased").length;
  }

  protected add(job: NewJob, now: number): void {
    const entry = newEntry(job, now);
    this.jobs.set(job.id, entry);
    this.counters.put++;
    if (job.urgent) this.counters.urgent++;
    const dueAt = job.due === null ? now : "in" in job.due ? now + job.due.in : job.due.at;
    if (dueAt > now) {
      entry.dueAt = dueAt;
      this.become(entry, "delayed");
    } else {
      entry.position = job.urgent ? --this.lastUrgentPosition : this.nextPosition();
      this.become(entry, "ready");
    }
  }

  protected nextPosition(): number {
    return ++this.lastPosition;
  }

  // ---- delivering and settling ------------------------------------------------------------------------------------

  protected deliver(entry: Entry, now: number, lease: number): void {
    entry.attempt++;
    entry.fence = this.nextFence();
    entry.lease = entry.ownLease ?? lease;
    entry.leaseUntil = now + entry.lease;
    this.counters.take++;
    this.become(entry, "leased");
  }

  protected nextFence(): number {
    return ++this.lastFence;
  }

  /** The entry whose newest lease this is and still runs. */
  protected holder({ id, fence }: LeaseProof, now: number): Entry | undefined {
    const entry = this.jobs.get(id);
    return entry?.state === "leased" && entry.fence === fence && !this.leaseIsOver(entry, now) ? entry : undefined;
  }

  protected settleOne(entry: Entry, item: Settlement, now: number): SettleOutcome {
    this.counters[item.type]++;
    switch (item.type) {
      case "ack":
        return this.ack(entry, item.result, now);
      case "release":
        entry.attempt--;
        this.giveBack(entry, item.delay, now);
        break;
      case "requeue":
        entry.attempt--;
        this.toTheEnd(entry);
        break;
      case "fail":
        entry.lastError = item.error;
        if (entry.attempt >= entry.maxAttempts) this.bury(entry, "failed");
        else this.giveBack(entry, item.delay, now);
        break;
      case "bury":
        this.counters.bury--; // counted by bury() itself
        entry.lastError = item.error ?? entry.lastError;
        this.bury(entry, "buried");
        break;
    }
    return entry.state;
  }

  protected ack(entry: Entry, result: Uint8Array | null, now: number): SettleOutcome {
    if (entry.keepResult === null) {
      this.jobs.delete(entry.id);
      return "gone";
    }
    entry.result = result && copy(result);
    entry.doneUntil = now + entry.keepResult;
    this.become(entry, "done");
    return "done";
  }

  /** Back into the queue, to the place it had. */
  protected giveBack(entry: Entry, delay = 0, now = 0): void {
    entry.returned = true;
    entry.dueAt = delay > 0 ? now + delay : null;
    this.become(entry, delay > 0 ? "delayed" : "ready");
  }

  protected toTheEnd(entry: Entry): void {
    entry.urgent = false;
    entry.returned = false;
    entry.position = this.nextPosition();
    this.become(entry, "ready");
  }

  protected bury(entry: Entry, reason: BuryReason): void {
    this.counters.bury++;
    entry.buryReason = reason;
    this.become(entry, "buried");
  }

  protected extend(entry: Entry, { lease, progress }: Touch, now: number): void {
    this.counters.touch++;
    entry.leaseUntil = Math.max(entry.leaseUntil ?? 0, now + lease);
    entry.progress = progress ? copy(progress) : entry.progress;
  }

  // ---- operators --------------------------------------------------------------------------------------------------

  /** From buried to ready, with fresh attempts. */
  protected revive(entry: Entry, counter: "kick" | "dig"): void {
    this.counters[counter]++;
    entry.attempt = 0;
    entry.buryReason = null;
    this.toTheEnd(entry);
  }

  protected remove(entry: Entry, counter: "delete" | "expired"): void {
    this.counters[counter]++;
    this.jobs.delete(entry.id);
  }

  private each(ids: readonly JobId[], allowed: (entry: Entry) => boolean, act: (entry: Entry) => void): ControlResult {
    const outcomes = ids.map((id) => {
      const entry = this.jobs.get(id);
      if (entry === undefined) return "not-found";
      if (!allowed(entry)) return "invalid-state";
      act(entry);
      return "done";
    });
    return { count: outcomes.filter((outcome) => outcome === "done").length, outcomes };
  }

  // ---- bookkeeping ------------------------------------------------------------------------------------------------

  /** Change the state, and drop what belongs to the old one. */
  protected become(entry: Entry, state: JobState): void {
    entry.state = state;
    entry.since = ++this.lastChange;
    if (state !== "delayed") entry.dueAt = null;
    if (state !== "leased") {
      entry.leaseUntil = null;
      entry.leasedBy = null;
    }
  }

  protected inState(state: JobState): Entry[] {
    return [...this.jobs.values()].filter((entry) => entry.state === state);
  }

  /** The jobs of a state in the order in which they are listed. */
  protected listed(state: JobState): Entry[] {
    return this.inState(state).sort(listOrder(state));
  }
}
