/** Jobs that fall due one after the other over some seconds: how late are they? The clock of the machine is everybody's clock here. */
import { percentile } from "../../stats.ts";
import { Countdown, fillBatch, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Producer, Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** All are put before the first is due. */
const LEAD = 2000;

/** What the two clocks may differ by, in ms. */
const CLOCK_ERROR = 0.5;

/** `jobs` fall due evenly over `seconds`. */
export async function delayed(side: Side, spec: RunSpec): Promise<Prepared> {
  const { seconds = 5, concurrency = 100 } = spec.shape;
  const jobs = new Jobs(spec, spec.jobs);
  const producer = await side.producer(targetOf(spec));
  const lateness = new Float64Array(spec.jobs);
  const acks = new Countdown(spec.jobs);
  const clock = fineClock();
  let first = 0;
  const dueOf = (index: number): number => Math.round(first + (index / spec.jobs) * seconds * 1000);
  const worker = await side.worker(targetOf(spec), {
    concurrency,
    prefilled: false,
    handler: (payload) => {
      const now = clock();
      const index = jobs.audit.done(payload);
      if (index >= 0) lateness[index] = now - dueOf(index);
    },
    acked: acks.tick,
  });
  worker.start();
  return {
    run: async () => {
      first = Date.now() + LEAD;
      await putAll(producer, jobs, { dueOf, batch: fillBatch(spec.shape) });
      await acks.over;
    },
    figures: () => {
      const late = [...lateness];
      const early = late.filter((ms) => ms < -CLOCK_ERROR).length;
      return { p50: percentile(late, 0.5), p99: percentile(late, 0.99), max: Math.max(...late), early };
    },
    check: async () => jobs.audit.problems(),
    end: async () => void (await Promise.all([worker.close(), producer.close()])),
  };
}

/** The machine's time in ms, finer than `Date.now`. */
function fineClock(): () => number {
  const start = Date.now();
  let tick = start;
  while (tick === start) tick = Date.now();
  const offset = tick - performance.now();
  return () => offset + performance.now();
}

interface How {
  readonly dueOf: (index: number) => number;
  readonly batch: number;
}

async function putAll(producer: Producer, jobs: Jobs, { dueOf, batch }: How): Promise<void> {
  for (let from = 0; from < jobs.count; from += batch) {
    const tasks = jobs.tasks(from, Math.min(from + batch, jobs.count));
    await producer.putMany(tasks.map((task, i) => ({ ...task, due: dueOf(from + i) })));
  }
}
