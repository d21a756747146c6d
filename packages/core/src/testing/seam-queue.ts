/** One queue at the seam, as the rules use it: request ids, leases and the rest filled in, jobs named by their payload. */
import assert from "node:assert/strict";
import type { Backend, ControlResult, PutOutcome, QueueStats, SettleOutcome, Settlement } from "../backend.ts";
import { sleep, systemClock } from "../clock.ts";
import { newRequestId } from "../id.ts";
import type { DeliveredJob, JobId, JobState, LeaseProof, NewJob, StoredJob } from "../job.ts";
import { ack, bury, fail, type JobFields, LONG, newJob, outlast, release, requeue, text, texts } from "./jobs.ts";
import type { RuleContext } from "./rule.ts";

/** A new job of this name: its payload. Everything else is at its plainest unless given. */
export function job(name: string, fields: JobFields = {}): NewJob {
  return newJob({ payload: name, ...fields });
}

/** `count` numbers from 0. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The queue of this name on a connection of its own. */
export async function seam(t: RuleContext, name = "q"): Promise<SeamQueue> {
  return new SeamQueue(t, await t.backend(), name);
}

/** Restart the store and wait until the connections of these queues are back. Only for rules that need the fault. */
export async function restart(t: RuleContext, ...queues: readonly SeamQueue[]): Promise<void> {
  const { faults } = t.store;
  assert.ok("restart" in faults, "a rule that restarts must say that it needs it");
  await faults.restart?.();
  for (const queue of queues) await t.eventually(() => queue.stats());
}

/** The operations of one queue, each a call of the seam with a request id of its own. */
export class SeamQueue {
  readonly name: string;
  readonly backend: Backend;
  readonly #t: RuleContext;

  constructor(t: RuleContext, backend: Backend, name: string) {
    this.#t = t;
    this.backend = backend;
    this.name = name;
  }

  /** Another queue on the same connection. */
  sibling(name: string): SeamQueue {
    return new SeamQueue(this.#t, this.backend, name);
  }

  /** Let so much time pass that what falls due in `ms` has fallen due, however late the store may be. */
  passDue(ms: number): Promise<void> {
    return outlast(this.#t, this.backend, ms);
  }

  /** Put without a limit. */
  put(...jobs: readonly NewJob[]): Promise<readonly PutOutcome[]> {
    return this.putWithin(null, jobs);
  }

  /** Put many, in as few calls as the store takes. */
  async putAll(jobs: readonly NewJob[]): Promise<void> {
    const { maxBatch } = this.backend.capabilities;
    for (let from = 0; from < jobs.length; from += maxBatch) await this.put(...jobs.slice(from, from + maxBatch));
  }

  /** Put with `maxSize`. */
  putWithin(maxSize: number | null, jobs: readonly NewJob[], partial = false): Promise<readonly PutOutcome[]> {
    const request = newRequestId();
    return this.backend.put({ request, after: null, queue: this.name, jobs, maxSize, partial, transaction: null });
  }

  /** Take up to `limit` jobs. */
  take(limit = 1, lease: number = LONG): Promise<readonly DeliveredJob[]> {
    return this.backend.take({ request: newRequestId(), queue: this.name, limit, lease });
  }

  /** Take the names only, in the order of delivery. */
  async takeNames(limit: number): Promise<string[]> {
    return texts(await this.take(limit));
  }

  /** Take exactly one job, of this name if one is given. */
  async takeOne(name?: string, lease: number = LONG): Promise<DeliveredJob> {
    const [taken] = await this.take(1, lease);
    assert.ok(taken !== undefined, `take gave nothing, ${name === undefined ? "a job" : `"${name}"`} was ready`);
    if (name !== undefined) assert.equal(text(taken), name, "take gave another job than the one whose turn it was");
    return taken;
  }

  /** Take and ack one by one until nothing comes, and give the names in order. */
  async drain(): Promise<string[]> {
    const drained: string[] = [];
    for (let taken = await this.take(); taken[0] !== undefined; taken = await this.take()) {
      drained.push(...texts(taken));
      await this.ack(taken[0]);
    }
    return drained;
  }

  settle(...items: readonly Settlement[]): Promise<readonly SettleOutcome[]> {
    return this.backend.settle({ request: newRequestId(), queue: this.name, items });
  }

  /** Ack one job; gives its outcome. */
  ack(proof: LeaseProof, result: Uint8Array | null = null): Promise<SettleOutcome | undefined> {
    return this.#settleOne(ack(proof, result));
  }

  release(proof: LeaseProof, delay = 0): Promise<SettleOutcome | undefined> {
    return this.#settleOne(release(proof, delay));
  }

  requeue(proof: LeaseProof): Promise<SettleOutcome | undefined> {
    return this.#settleOne(requeue(proof));
  }

  fail(proof: LeaseProof, error = "failed", delay = 0): Promise<SettleOutcome | undefined> {
    return this.#settleOne(fail(proof, error, delay));
  }

  bury(proof: LeaseProof, error: string | null = null): Promise<SettleOutcome | undefined> {
    return this.#settleOne(bury(proof, error));
  }

  /** Extend one lease; was it still held? */
  async touch(
    proof: LeaseProof,
    lease: number = LONG,
    progress: Uint8Array | null = null,
  ): Promise<boolean | undefined> {
    const items = [{ id: proof.id, fence: proof.fence, lease, progress }];
    return (await this.backend.touch({ request: newRequestId(), queue: this.name, items }))[0];
  }

  kick(limit = 1): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type: "kick", limit });
  }

  dig(...ids: readonly JobId[]): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type: "dig", ids });
  }

  delete(...ids: readonly JobId[]): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type: "delete", ids });
  }

  /** `truncate`, `pause` or `resume`. */
  control(type: "truncate" | "pause" | "resume"): Promise<ControlResult> {
    return this.backend.control({ request: newRequestId(), queue: this.name, type });
  }

  stats(): Promise<QueueStats> {
    return this.backend.stats(this.name);
  }

  /** One job as an operator sees it; `undefined` when it is not there. */
  async find(id: JobId): Promise<StoredJob | undefined> {
    return (await this.backend.read({ queue: this.name, ids: [id] })).jobs[0];
  }

  /** Every job of a state, in pages of `limit`. */
  async list(state: JobState, limit = 100): Promise<StoredJob[]> {
    const all: StoredJob[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.backend.read({ queue: this.name, state, limit, cursor });
      all.push(...page.jobs);
      cursor = page.cursor;
    } while (cursor !== null && all.length < 100_000);
    return all;
  }

  /** Wait for a job, as consumers do, until `signal` aborts. */
  wait(signal: AbortSignal, timeout: number = LONG): Promise<void> {
    return this.backend.wait({ queue: this.name, timeout, signal });
  }

  /** Be a consumer: take, and wait while there is nothing. Gives the first job, or `undefined` when `signal` aborts first. */
  async consumeOne(signal: AbortSignal): Promise<DeliveredJob | undefined> {
    while (!signal.aborted) {
      const [taken] = await this.take();
      if (taken !== undefined) return taken;
      await this.wait(signal);
      await sleep(systemClock, 0); // so that a wait that never waits stops nothing else
    }
    return undefined;
  }

  /** How often a wait for nothing comes back within `ms`, up to 100 times. Spurious wake-ups are allowed, a busy loop is not. */
  async roundsOfWaiting(ms: number): Promise<number> {
    const over = new AbortController();
    let rounds = 0;
    const waiter = async (): Promise<void> => {
      for (; !over.signal.aborted && rounds < 100; rounds++) await this.wait(over.signal);
    };
    const waiting = waiter();
    await this.#t.pass(ms);
    over.abort();
    await waiting;
    return rounds;
  }

  /** A consumer waits, `act` happens: the consumer must get the job of this name by it. `what` names the act in the message. */
  async expectWaiter(act: () => Promise<unknown>, name: string, what: string): Promise<DeliveredJob> {
    const over = new AbortController();
    let taken: DeliveredJob | undefined;
    let failure: { readonly error: unknown } | undefined;
    const consuming = this.consumeOne(over.signal).then(
      (job) => (taken = job),
      (error: unknown) => (failure = { error }),
    );
    await this.#t.pass(20); // so that the wait has begun
    assert.equal(taken, undefined, `a job came before ${what}`);
    await act();
    try {
      await this.#t.eventually(() => {
        if (failure === undefined) assert.ok(taken !== undefined, `${what} did not wake the consumer that waited`);
      });
    } finally {
      over.abort();
      await consuming;
    }
    if (failure !== undefined) assert.fail(`the consumer that waited for ${what} failed: ${String(failure.error)}`);
    assert.ok(taken !== undefined);
    assert.equal(text(taken), name);
    return taken;
  }

  async #settleOne(item: Settlement): Promise<SettleOutcome | undefined> {
    return (await this.settle(item))[0];
  }
}
