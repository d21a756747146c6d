/** One sequence of steps on a queue of its own: after each step, the keys are read and every invariant is asked. */
import {
  type Backend,
  type JobId,
  type LeaseProof,
  newJobId,
  type Settlement,
  sleep,
  systemClock,
} from "@pq/core/backend";
import type { Redis } from "ioredis";
import { newJob } from "../support.ts";
import {
  byIdIsExact,
  countersTellWhatWasDone,
  noJobIsLost,
  repeatIsTheSame,
  statsAreTrue,
} from "./answer-invariants.ts";
import { Broken } from "./broken.ts";
import { Caller } from "./caller.ts";
import { answersAreBounded, type Bounds, INVARIANTS, tokensAreBounded } from "./invariants.ts";
import type { Act, JobPlan, Look, Plan } from "./steps.ts";
import { filled, jobIdOf, readStored, type Stored } from "./stored.ts";

/** How many ids come back, and how many processes wait at most. */
const IDS = 40;
const WAITERS = 2;
/** How long it may take to empty a queue, in ms. */
const PATIENCE = 3000;

/** What a sequence runs on. */
export interface Ground {
  readonly backend: Backend;
  readonly admin: Redis;
  readonly limits: Pick<Bounds, "generation" | "window">;
}

/** One sequence. */
export class Sequence {
  readonly #ground: Ground;
  readonly #queue: string;
  readonly #plan: Plan;
  readonly #caller: Caller;
  readonly #ids: JobId[] = Array.from({ length: IDS }, () => newJobId());
  readonly #waits = new Set<Promise<void>>();
  readonly #over = new AbortController();
  /** Those that were done, and those that were gone from the list, when the keys were last read. */
  #done: readonly JobId[] = [];
  #gone: readonly JobId[] = [];
  /** So many jobs may have been done already when they were deleted. */
  #doneDeleted = 0;

  constructor(ground: Ground, queue: string, plan: Plan) {
    this.#ground = ground;
    this.#queue = queue;
    this.#plan = plan;
    this.#caller = new Caller(ground.backend, queue, ground.limits.generation);
  }

  /** Run it to its end, then empty the queue. Rejects with `Broken`. */
  async run(): Promise<void> {
    try {
      for (const step of this.#plan.steps) {
        await ("act" in step ? this.#act(step) : this.#look(step));
        this.#check(await this.#read());
      }
      await this.#drain();
    } finally {
      this.#over.abort();
      await Promise.all(this.#waits);
    }
  }

  async #act(step: Act): Promise<void> {
    const caller = this.#caller;
    switch (step.act) {
      case "put":
        return caller.put(this.#jobs(step.jobs), step.maxSize, step.partial);
      case "take":
        return caller.take(step.limit, step.lease);
      case "settle":
        return void (await caller.settle(
          this.#oldest(step.ways.length).map((lease, at) => settlement(lease, step.ways[at]!)),
        ));
      case "touch": {
        const leases = distinct(caller.held.slice(-step.leases.length));
        const progress = step.progress ? Buffer.from("p") : null;
        return caller.touch(leases.map((proof, at) => ({ ...proof, lease: step.leases[at]!, progress })));
      }
      case "kick":
        return caller.control({ type: "kick", limit: step.limit });
      case "dig":
        return caller.control({ type: "dig", ids: this.#some(step.ids) });
      case "delete":
        return this.#delete(this.#some(step.ids));
      case "truncate":
        this.#doneDeleted += this.#done.length;
        return caller.control({ type: "truncate" });
      case "pause":
      case "resume":
        return caller.control({ type: step.act });
    }
  }

  async #look(step: Look): Promise<unknown> {
    const { backend } = this.#ground;
    const queue = this.#queue;
    this.#caller.log.push(step.look);
    switch (step.look) {
      case "ids": {
        const { now } = await this.#read();
        const { jobs } = await backend.read({ queue, ids: this.#some(step.ids) });
        return this.#expect("byIdIsExact", byIdIsExact(jobs, now));
      }
      case "page":
        return backend.read({ queue, state: step.state, limit: 3, cursor: null });
      case "stats": {
        const stats = await backend.stats(queue);
        // Those who wait may change what is stored right after that.
        return this.#plan.waits ? undefined : this.#expect("statsAreTrue", statsAreTrue(stats, await this.#read()));
      }
      case "wait":
        return this.#wait(step.ms);
      case "repeat": {
        const repetition = await this.#caller.again(step.back);
        return repetition && this.#expect("repeatIsTheSame", repeatIsTheSame(repetition));
      }
      case "pass":
        return sleep(systemClock, step.ms);
    }
  }

  /** In the background, as another process would. */
  #wait(timeout: number): void {
    if (!this.#plan.waits || this.#waits.size >= WAITERS) return;
    const wait = this.#ground.backend.wait({ queue: this.#queue, timeout, signal: this.#over.signal });
    const ended = wait.finally(() => this.#waits.delete(ended));
    this.#waits.add(ended);
  }

  #jobs(plans: readonly JobPlan[]): ReturnType<typeof newJob>[] {
    const jobs = plans.map(({ id: index, ...fields }) => {
      const id = this.#plan.newIds ? newJobId() : this.#oldId(index);
      if (this.#plan.newIds) this.#ids.push(id);
      return newJob("x", { ...fields, id, due: fields.urgent ? null : fields.due });
    });
    return distinct(jobs);
  }

  #delete(ids: readonly JobId[]): Promise<void> {
    this.#doneDeleted += this.#done.filter((id) => ids.includes(id)).length;
    return this.#caller.control({ type: "delete", ids });
  }

  /** Often one that was deleted and still stands in the list. */
  #oldId(index: number): JobId {
    const among = index % 2 === 0 && this.#gone.length > 0 ? this.#gone : this.#ids;
    return among[index % among.length]!;
  }

  /** Of those put last, if their ids are new. */
  #some(indices: readonly number[]): JobId[] {
    const last = this.#ids.slice(-IDS);
    return [...new Set(indices.map((index) => last[index % IDS]!))];
  }

  #oldest(count: number): LeaseProof[] {
    return distinct(this.#caller.held.splice(0, count));
  }

  async #read(): Promise<Stored> {
    const stored = await readStored(this.#ground.admin, this.#queue);
    this.#done = stored.all.filter(({ kind }) => kind === "e").map(({ id }) => jobIdOf(id));
    this.#gone = [...stored.gone].map(jobIdOf);
    return stored;
  }

  #expect(name: string, wrong: readonly string[]): void {
    if (wrong.length > 0) throw new Broken(new Map([[name, wrong]]), this.#caller.log);
  }

  #check(stored: Stored): void {
    const bounds = { ...this.#ground.limits, waiters: this.#plan.waits ? WAITERS : 0 };
    const found = [
      ...INVARIANTS.map((check) => [check.name, check(stored)] as const),
      ...[answersAreBounded, tokensAreBounded].map((check) => [check.name, check(stored, bounds)] as const),
      ["countersTellWhatWasDone", countersTellWhatWasDone(stored, this.#caller.counted)] as const,
      ["noJobIsLost", noJobIsLost(stored, this.#doneDeleted)] as const,
    ];
    const wrong = new Map(found.filter(([, details]) => details.length > 0));
    if (wrong.size > 0) throw new Broken(wrong, this.#caller.log);
  }

  /** Take and ack everything, and see that nothing is left. */
  async #drain(): Promise<void> {
    const caller = this.#caller;
    await caller.control({ type: "resume" });
    const end = systemClock.monotonic() + PATIENCE;
    for (;;) {
      await caller.control({ type: "kick", limit: 1000 });
      await caller.take(100, 60_000);
      const lost = await caller.settle(
        this.#oldest(caller.held.length).map((lease) => settlement(lease, { type: "ack", result: null })),
      );
      // On a busy machine the few ms of a job's own lease may always be over by then.
      if (systemClock.monotonic() >= end - PATIENCE / 2 && lost.length > 0) {
        await this.#delete([...new Set(lost)]);
      }
      await this.#ground.backend.stats(this.#queue);
      const stored = await this.#read();
      this.#check(stored);
      const left = keysOfJobs(stored);
      if (left.length === 0) return;
      if (systemClock.monotonic() >= end) this.#expect("nothingIsLeft", left);
      await sleep(systemClock, 5);
    }
  }
}

/** Without those that are about the queue, its answers and those who wait. */
function keysOfJobs(stored: Stored): string[] {
  const others = ["meta", "answers", "older", "waiters", "wake"];
  return Object.keys(filled(stored)).filter((key) => !others.includes(key));
}

function settlement(lease: LeaseProof, way: object): Settlement {
  return { ...lease, ...way } as Settlement;
}

/** Each job once, the last of it. */
function distinct<T extends { readonly id: JobId }>(list: readonly T[]): T[] {
  return [...new Map(list.map((one) => [one.id, one])).values()];
}
