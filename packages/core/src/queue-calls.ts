/** The store's operations on one queue: guarded, batched, traced. What users see (queue, worker, job) is built on these. */
import type { CallPolicy, CallSpec } from "./attempts.ts";
import type {
  ControlParams,
  ControlResult,
  Guarantees,
  PutOutcome,
  QueueStats,
  ReadParams,
  ReadResult,
  SettleOutcome,
  Settlement,
  Touch,
} from "./backend.ts";
import { BackendGuard, closedError, OPEN_DEADLINE } from "./backend-guard.ts";
import { type BatchCall, Batcher, checkAnswers } from "./batcher.ts";
import { checkDurability } from "./durability.ts";
import { isPqError } from "./errors.ts";
import { newRequestId } from "./id.ts";
import type { DeliveredJob, NewJob } from "./job.ts";
import type { ResolvedOptions } from "./options.ts";
import { trace, type TraceContext, traced, type TraceName } from "./tracing.ts";

type WithoutQueue<P> = P extends unknown ? Omit<P, "queue" | "request"> : never;

/** What a take brought. */
export interface Delivery {
  readonly jobs: readonly DeliveredJob[];
  /** The monotonic time before the take was sent: leases end no earlier than this plus their length. */
  readonly since: number;
}

/** How much one call carries, where the store's own limits do not say less. */
const MAX_ITEMS = 1000;

/** A backend may take so much longer for a wait than it was told, in ms. */
const WAIT_GRACE = 2000;

/** Truncate may work in many steps, in ms. */
const TRUNCATE_DEADLINE = 60_000;

/** The calls of one queue. */
export class QueueCalls {
  readonly name: string;
  readonly policy: CallPolicy;
  readonly #guard: BackendGuard;
  readonly #options: ResolvedOptions<unknown>;
  readonly #puts: Batcher<NewJob, PutOutcome>;
  readonly #settles: Batcher<Settlement, SettleOutcome>;
  readonly #touches: Batcher<Touch, boolean>;
  /** Under way, and known to no batcher. */
  readonly #alone = new Set<Promise<unknown>>();
  #open = false;
  /** Takes no more calls; those that were made before go on. */
  #closed = false;
  /** Makes no more calls. */
  #left = false;

  constructor(options: ResolvedOptions<unknown>) {
    this.#options = options;
    this.name = options.name;
    this.policy = options.policy;
    this.#guard = BackendGuard.of(options.backend);
    const { maxBatch, maxBatchBytes } = options.capabilities;
    const { clock, deadline } = this.policy;
    const common = { clock, deadline, idOf, maxItems: MAX_ITEMS, maxBytes: maxBatchBytes, chained: () => false };
    this.#puts = new Batcher<NewJob, PutOutcome>({
      ...common,
      maxItems: Math.min(MAX_ITEMS, maxBatch),
      chained: () => this.#chains,
      bytesOf,
      send: (jobs, call) => this.#put(jobs, true, call),
    });
    this.#settles = new Batcher<Settlement, SettleOutcome>({
      ...common,
      bytesOf: bytesOfSettlement,
      send: (items, call) => this.#settle(items, call),
    });
    this.#touches = new Batcher<Touch, boolean>({
      ...common,
      bytesOf: ({ progress }) => progress?.length ?? 0,
      send: (items, call) => this.#touch(items, call),
    });
  }

  get guard(): BackendGuard {
    return this.#guard;
  }

  /** Open, and check what the queue requires. Rejects with `WEAK_SETTINGS`. */
  async ready(): Promise<Guarantees> {
    this.check();
    return this.#ready({ ...this.policy, deadline: Math.max(OPEN_DEADLINE, this.policy.deadline) });
  }

  async #ready(policy: CallPolicy): Promise<Guarantees> {
    if (this.#left) throw closedError(this.#called);
    const guarantees = await this.#guard.open(this, policy);
    checkDurability(this.name, this.#options.requires, guarantees);
    this.#guard.warn();
    this.#open = true;
    return guarantees;
  }

  /** Store one job, along with others. */
  put(job: NewJob): Promise<PutOutcome> {
    return this.#closed ? Promise.reject(closedError(this.#called)) : this.#puts.add(job);
  }

  /** Store all of these jobs or none: in their turn among the single ones, or else within a transaction of the user's. */
  putAll(jobs: readonly NewJob[], transaction: object | null): Promise<readonly PutOutcome[]> {
    if (this.#closed) return Promise.reject(closedError(this.#called));
    if (transaction !== null) return this.#track(this.#putInTransaction(transaction, jobs));
    return this.#puts.alone((call) => this.#put(jobs, false, call));
  }

  /** Settle one job, along with others. */
  settle(item: Settlement): Promise<SettleOutcome> {
    return this.#closed ? Promise.reject(closedError(this.#called)) : this.#settles.add(item);
  }

  /** Extend one lease, along with others. */
  touch(item: Touch): Promise<boolean> {
    return this.#closed ? Promise.reject(closedError(this.#called)) : this.#touches.add(item);
  }

  /** Take what there is now. Jobs of a call that failed, and is answered later after all, go back. */
  take(limit: number, lease: number): Promise<Delivery> {
    return this.#track(this.#take(limit, lease));
  }

  #track<T>(call: Promise<T>): Promise<T> {
    const done = (): void => void this.#alone.delete(call);
    this.#alone.add(call);
    call.then(done, done);
    return call;
  }

  async #take(limit: number, lease: number): Promise<Delivery> {
    this.check();
    const { backend } = this.#options;
    const params = { request: newRequestId(), queue: this.name, limit, lease };
    const since = this.policy.clock.monotonic();
    const jobs = await this.#call("take", limit, {
      name: "take",
      mutates: true,
      invoke: () => backend.take(params),
      // Every answered try gives the same jobs, or the first that finds some does: what is in the caller's hands stays there.
      late: (jobs, given) => this.giveBack(given === undefined ? jobs : jobs.filter((job) => !holds(given, job))),
    });
    return { jobs, since };
  }

  /** Release jobs that nobody wants. When that fails too, their leases run out. */
  giveBack(jobs: readonly DeliveredJob[]): void {
    for (const { id, fence } of jobs) {
      this.#settles.add({ id, fence, type: "release", delay: 0 }).catch(() => undefined);
    }
  }

  /** Wait until a job may be there. */
  async wait(timeout: number, signal: AbortSignal): Promise<void> {
    const { backend } = this.#options;
    const patience = timeout + WAIT_GRACE;
    this.check();
    if (!this.#open) await this.#ready(this.policy);
    const invoke = (): Promise<void> => backend.wait({ queue: this.name, timeout, signal });
    const policy = { ...this.policy, deadline: patience, attemptTimeout: patience };
    await this.#guard.call({ name: "wait", mutates: false, once: true, invoke }, policy);
  }

  async read(params: WithoutQueue<ReadParams>): Promise<ReadResult> {
    this.check();
    const { backend } = this.#options;
    const call = { ...params, queue: this.name } as ReadParams;
    return this.#call("read", undefined, { name: "read", mutates: false, invoke: () => backend.read(call) });
  }

  async stats(): Promise<QueueStats> {
    this.check();
    const { backend } = this.#options;
    return this.#call("read", undefined, { name: "stats", mutates: false, invoke: () => backend.stats(this.name) });
  }

  async control(params: WithoutQueue<ControlParams>): Promise<ControlResult> {
    this.check();
    const { backend } = this.#options;
    const call = { ...params, queue: this.name, request: newRequestId() } as ControlParams;
    const spec = { name: params.type, mutates: true, invoke: () => backend.control(call) };
    if (params.type !== "truncate") return this.#call("control", undefined, spec);
    const deadline = Math.max(TRUNCATE_DEADLINE, this.policy.deadline);
    return this.#call("control", undefined, spec, { ...this.policy, deadline, attemptTimeout: deadline });
  }

  /** Take no more calls, let those under way end, and leave the backend. Rejects when the backend cannot be closed. */
  async close(): Promise<void> {
    this.#closed = true;
    // What takes bring for nobody is given back, which is a settlement.
    await Promise.allSettled(this.#alone);
    await Promise.all([this.#puts.idle(), this.#settles.idle(), this.#touches.idle()]);
    this.#left = true;
    this.#open = false;
    await this.#guard.leave(this, this.policy);
  }

  /** Not where each call is synced: there one large call does better than two. */
  get #chains(): boolean {
    const durability = this.#guard.guarantees?.durability;
    return this.#options.capabilities.chainedPuts && (durability === "memory" || durability === "process");
  }

  get #called(): string {
    return `queue "${this.name}"`;
  }

  /** Throws `CLOSED` once the queue closes. */
  check(): void {
    if (this.#closed) throw closedError(this.#called);
  }

  #put(jobs: readonly NewJob[], partial: boolean, batch: BatchCall): Promise<readonly PutOutcome[]> {
    const { backend, maxSize } = this.#options;
    const { name: queue } = this;
    const { request } = batch;
    const call: CallSpec<readonly PutOutcome[]> = {
      name: "put",
      mutates: true,
      invoke: () => backend.put({ request, after: batch.after, queue, jobs, maxSize, partial, transaction: null }),
      accept: (outcomes, unsure) => {
        checkAnswers(outcomes, jobs);
        return unsure ? outcomes.map((outcome, index) => ownPut(outcome, jobs[index])) : outcomes;
      },
    };
    return this.#call("put", jobs.length, call, this.#until(batch.deadline));
  }

  /** One try, since a try may end the transaction. Whoever runs that decides whether to run it again, by the error that its own client made. */
  async #putInTransaction(transaction: object, jobs: readonly NewJob[]): Promise<readonly PutOutcome[]> {
    const { backend, maxSize } = this.#options;
    const params = {
      request: newRequestId(),
      after: null,
      queue: this.name,
      jobs,
      maxSize,
      partial: false,
      transaction,
    };
    const call: CallSpec<readonly PutOutcome[]> = {
      name: "put",
      mutates: true,
      once: true,
      invoke: () => backend.put(params),
      accept(outcomes) {
        checkAnswers(outcomes, jobs);
        return outcomes;
      },
    };
    try {
      return await this.#call("put", jobs.length, call, { ...this.policy, attemptTimeout: this.policy.deadline });
    } catch (error) {
      throw errorOfClient(error);
    }
  }

  #settle(items: readonly Settlement[], { request, deadline }: BatchCall): Promise<readonly SettleOutcome[]> {
    const params = { request, queue: this.name, items };
    const call = { name: "settle", mutates: true, invoke: () => this.#options.backend.settle(params) };
    return this.#call("settle", items.length, call, this.#until(deadline));
  }

  #touch(items: readonly Touch[], { request, deadline }: BatchCall): Promise<readonly boolean[]> {
    const params = { request, queue: this.name, items };
    const call = { name: "touch", mutates: true, invoke: () => this.#options.backend.touch(params) };
    // An answer that comes when the lease is over is of no use: ask again in time.
    const shortest = items.reduce((least, { lease }) => Math.min(least, lease), Infinity);
    const attemptTimeout = Math.min(this.policy.attemptTimeout, Math.max(100, shortest / 6));
    return this.#call("touch", items.length, call, { ...this.#until(deadline), attemptTimeout });
  }

  #call<T>(
    name: TraceName,
    count: number | undefined,
    call: CallSpec<T>,
    policy: CallPolicy = this.policy,
  ): Promise<T> {
    if (!traced(name)) return this.#guarded(call, policy);
    const context: TraceContext = {
      queue: this.name,
      backend: this.#options.backend.name,
      type: call.name,
      ...(count !== undefined && { count }),
    };
    return trace(name, context, () => this.#guarded(call, policy));
  }

  #guarded<T>(call: CallSpec<T>, policy: CallPolicy): Promise<T> {
    return this.#open ? this.#guard.call(call, policy) : this.#openFor(call, policy);
  }

  /** The policy for a call of which so much time is left. */
  #until(deadline: number): CallPolicy {
    const { clock, attemptTimeout } = this.policy;
    return { clock, attemptTimeout, deadline };
  }

  /** Opening counts against the deadline of the call that needs it. */
  async #openFor<T>(call: CallSpec<T>, policy: CallPolicy): Promise<T> {
    const start = policy.clock.monotonic();
    await this.#ready(policy);
    const spent = policy.clock.monotonic() - start;
    return this.#guard.call(call, { ...policy, deadline: policy.deadline - spent });
  }
}

/** After a try of unknown outcome, a job that is there under its own id is the one that was put. */
function ownPut(outcome: PutOutcome, job: NewJob | undefined): PutOutcome {
  return outcome.status === "duplicate" && outcome.id === job?.id ? { status: "added" } : outcome;
}

/** What the store's client failed with, where that is why a call was not applied, or may not have been. */
function errorOfClient(error: unknown): Error {
  return (isPqError(error) && error.retryable ? (error.cause ?? error) : error) as Error;
}

function holds(jobs: readonly DeliveredJob[], { id, fence }: DeliveredJob): boolean {
  return jobs.some((job) => job.id === id && job.fence === fence);
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

function bytesOf({ payload }: NewJob): number {
  return payload.length;
}

function bytesOfSettlement(item: Settlement): number {
  return item.type === "ack" ? (item.result?.length ?? 0) : 0;
}
