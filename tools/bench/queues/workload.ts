/** What workloads have in common. */
import { Audit } from "./audit.ts";
import { PayloadMaker } from "./payload.ts";
import type { Producer, Side, Target, Task, Work, WorkOptions } from "./side.ts";
import type { Figures, RunSpec } from "./spec.ts";

/** A run that is ready for the clock. */
export interface Prepared {
  /** The timed part: resolves when the last of the work is confirmed. */
  run(): Promise<void>;
  /** What it found out besides its duration; called after `run`. */
  figures(ms: number): Figures;
  /** What is wrong with it, in words. */
  check(): Promise<readonly string[]>;
  end(): Promise<void>;
}

/** Prepares a run of this side. */
export type Workload = (side: Side, spec: RunSpec) => Promise<Prepared>;

/** Jobs of one run: their payloads, their tasks, their audit. */
export class Jobs {
  readonly count: number;
  readonly audit: Audit;
  readonly #maker: PayloadMaker;
  readonly #priorities: number;

  constructor({ run, shape }: RunSpec, count: number) {
    this.count = count;
    this.#maker = new PayloadMaker(run, shape.size ?? 100);
    this.#priorities = shape.priorities ?? 1;
    this.audit = new Audit(this.#maker, count);
  }

  task(index: number): Task {
    const payload = this.#maker.make(index);
    return this.#priorities === 1 ? { payload } : { payload, priority: index % this.#priorities };
  }

  /** The tasks of `from` .. `to - 1`. */
  tasks(from: number, to: number): Task[] {
    return Array.from({ length: to - from }, (_, i) => this.task(from + i));
  }
}

/** Where this run's queue is. */
export function targetOf({ host, port, run, tuned, shape }: RunSpec): Target {
  const attempts = shape.failEvery === undefined ? 1 : 3;
  return { host, port, queue: run, tuned, attempts, delays: shape.workload === "delayed" };
}

/** `work` for each number in `from .. to - 1`, so many at a time: a closed loop. */
export async function inLanes(
  range: readonly [number, number],
  lanes: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = range[0];
  const lane = async (): Promise<void> => {
    while (next < range[1]) await work(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Put the jobs `from` .. `to - 1` by calls for many, one after the other. */
export async function fill(
  producer: Producer,
  jobs: Jobs,
  range: readonly [number, number],
  batch: number,
): Promise<void> {
  for (let from = range[0]; from < range[1]; from += batch) {
    await producer.putMany(jobs.tasks(from, Math.min(from + batch, range[1])));
  }
}

/** A fill outside the clock: big payloads in smaller calls. */
export function fillBatch({ shape }: RunSpec): number {
  return (shape.size ?? 100) > 1000 ? 100 : 1000;
}

/** Resolves when it was called so often. */
export class Countdown {
  readonly over: Promise<void>;
  #left: number;
  #end: () => void = () => undefined;

  constructor(times: number) {
    this.#left = times;
    this.over = new Promise((resolve) => (this.#end = resolve));
  }

  readonly tick = (): void => {
    if (--this.#left === 0) this.#end();
  };
}

/** Take all of them out of the queue again and audit them: the check of runs that only put. */
export async function drainAndAudit(side: Side, spec: RunSpec, jobs: Jobs): Promise<readonly string[]> {
  const acks = new Countdown(jobs.count);
  const worker = await side.worker(targetOf(spec), {
    concurrency: 100,
    prefilled: true,
    handler: (payload) => void jobs.audit.done(payload),
    acked: acks.tick,
  });
  worker.start();
  await acks.over;
  await worker.close();
  return side.missing.audit === undefined ? jobs.audit.problems() : [];
}

/** Many workers, by the library's own way if it has one. */
export async function crowd(side: Side, target: Target, options: WorkOptions, workers: number): Promise<Work> {
  if (side.crowd !== undefined) return side.crowd(target, options, workers);
  const all = await Promise.all(Array.from({ length: workers }, () => side.worker(target, options)));
  return {
    start: () => {
      for (const one of all) one.start();
    },
    close: () => Promise.all(all.map((one) => one.close())),
  };
}
