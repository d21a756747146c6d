/** What workloads have in common. */
import { setTimeout as sleep } from "node:timers/promises";
import { Audit } from "./audit.ts";
import { PayloadMaker } from "./payload.ts";
import type { Producer, Side, Target, Task, Work, WorkOptions } from "./side.ts";
import type { Figures, RunSpec, Shape } from "./spec.ts";

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
  readonly #groups: number;

  constructor({ run, shape }: RunSpec, count: number) {
    this.count = count;
    this.#maker = new PayloadMaker(run, shape.size ?? 100);
    this.#priorities = shape.priorities ?? 1;
    this.#groups = shape.groups ?? 0;
    this.audit = new Audit(this.#maker, count);
  }

  task(index: number): Task {
    const payload = this.#maker.make(index);
    if (this.#groups > 0) return { payload, group: `group-${Math.floor((index / this.count) * this.#groups)}` };
    return this.#priorities === 1 ? { payload } : { payload, priority: index % this.#priorities };
  }

  /** The tasks of `from` .. `to - 1`. */
  tasks(from: number, to: number): Task[] {
    return Array.from({ length: to - from }, (_, i) => this.task(from + i));
  }
}

/** Where this run's queue is. */
export function targetOf({ url, run, tuned, shape }: RunSpec): Target {
  const attempts = shape.failEvery === undefined ? 1 : 3;
  const { workload, groups } = shape;
  return { url, queue: run, tuned, attempts, delays: workload === "delayed", grouped: groups !== undefined };
}

/** `work` for each number in `from .. to - 1`, so many at a time: a closed loop. Begins none after `end`, a time of `performance.now`. */
export async function inLanes(
  range: readonly [number, number],
  lanes: number,
  work: (index: number) => Promise<unknown>,
  end: number = Infinity,
): Promise<void> {
  let next = range[0];
  const lane = async (): Promise<void> => {
    while (next < range[1] && performance.now() < end) await work(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Put the jobs `from` .. `to - 1` by calls for many, one after the other. */
export async function putInBatches(
  producer: Producer,
  jobs: Jobs,
  range: readonly [number, number],
  batch: number,
): Promise<void> {
  for (let from = range[0]; from < range[1]; from += batch) {
    await producer.putMany(jobs.tasks(from, Math.min(from + batch, range[1])));
  }
}

/** Put the first `count` jobs outside the clock, the way the row wants it. Throws when its time is over before. */
export async function fill(producer: Producer, jobs: Jobs, count: number, { shape }: RunSpec): Promise<void> {
  const { singly = false, fillLimit = Infinity } = shape;
  const end = performance.now() + fillLimit * 1000;
  const step = singly ? 1 : fillBatch(shape);
  const put = async (from: number): Promise<unknown> => {
    if (performance.now() > end) throw new Error(`after ${fillLimit} s ${from} of ${count} jobs were in the queue`);
    return singly ? producer.put(jobs.task(from)) : producer.putMany(jobs.tasks(from, Math.min(from + step, count)));
  };
  await inLanes([0, Math.ceil(count / step)], singly ? 100 : 1, (index) => put(index * step));
}

/** A fill outside the clock: big payloads in smaller calls. */
export function fillBatch({ size = 100 }: Shape): number {
  return size > 1000 ? 100 : 1000;
}

/** Resolves when it was called so often. */
export class Countdown {
  readonly over: Promise<void>;
  #left: number;
  #end: () => void = () => undefined;

  constructor(times: number) {
    this.#left = times;
    this.over = new Promise((resolve) => (this.#end = resolve));
    this.count(0);
  }

  readonly tick = (): void => this.count(1);

  /** Called so often. */
  count(times: number): void {
    this.#left -= times;
    if (this.#left <= 0) this.#end();
  }
}

/** Lets through as many as were let in: who comes too early waits, first come, first served. */
export class Gate {
  #free = 0;
  readonly #waiting: (() => void)[] = [];

  readonly give = (): void => {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  };

  take(): Promise<void> {
    if (this.#free === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#free--;
    return Promise.resolve();
  }
}

/** In ms, by a clock that all processes of the machine share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Whether it resolves within so many seconds. */
export async function within(promise: Promise<void>, seconds: number | undefined): Promise<boolean> {
  const inTime = promise.then(() => true);
  if (seconds === undefined) return inTime;
  const stop = new AbortController();
  const tooLate = sleep(seconds * 1000, false, { signal: stop.signal });
  try {
    return await Promise.race([inTime, tooLate]);
  } finally {
    stop.abort();
    await tooLate.catch(() => false);
  }
}

/** Audit all jobs that are still in the queue, with those that came before: read them where the side can do that, or take them out. */
export async function auditAll(side: Side, spec: RunSpec, jobs: Jobs): Promise<readonly string[]> {
  if (side.stored === undefined) return drainAndAudit(side, spec, jobs);
  for await (const payload of side.stored(targetOf(spec))) jobs.audit.done(payload);
  return jobs.audit.problems();
}

async function drainAndAudit(side: Side, spec: RunSpec, jobs: Jobs): Promise<readonly string[]> {
  const acks = new Countdown(jobs.audit.open);
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
