/**
 * From put to handler, in an open loop: a put goes out when it is due, whatever the answers do. Latency counts from the call; `scheduledP99` counts
 * from the time at which the put was due, so a client that is busy hides nothing. Producer and worker share a process, or are `apart`; the clock is the
 * machine's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../../stats.ts";
import { hire, release } from "../team/member.ts";
import { Countdown, Jobs, monotonic, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Who gets the jobs. */
interface Getter {
  start(): void;
  /** Rejects when it can go on no more. */
  readonly failure: Promise<never>;
  /** Closes it; resolves with the time at which each job came. */
  finish(): Promise<Float64Array>;
}

/** So many jobs at `rate` per second, to a worker that waits for them. */
export async function latency(side: Side, spec: RunSpec): Promise<Prepared> {
  const { rate = 250, apart = false } = spec.shape;
  const jobs = new Jobs(spec, spec.jobs);
  const producer = await side.producer(targetOf(spec));
  const [due, sent] = [new Float64Array(spec.jobs), new Float64Array(spec.jobs)];
  let got: Float64Array = new Float64Array(spec.jobs);
  const acks = new Countdown(spec.jobs);
  const getter = apart ? await another(spec, jobs, acks) : await here(side, spec, jobs, acks);
  getter.start();
  const put = async (index: number): Promise<void> => {
    const task = jobs.task(index);
    sent[index] = monotonic();
    await producer.put(task);
  };
  return {
    run: async () => {
      await openLoop(due, 1000 / rate, put);
      await Promise.race([acks.over, getter.failure]);
      got = await getter.finish();
    },
    figures: () => latencies(due, sent, got),
    check: async () => jobs.audit.problems(),
    end: async () => void (await producer.close()),
  };
}

async function here(side: Side, spec: RunSpec, jobs: Jobs, acks: Countdown): Promise<Getter> {
  const got = new Float64Array(spec.jobs);
  const worker = await side.worker(targetOf(spec), {
    concurrency: spec.shape.concurrency ?? 10,
    prefilled: false,
    handler: (payload) => {
      const now = monotonic();
      const index = jobs.audit.done(payload);
      if (index >= 0) got[index] = now;
    },
    acked: acks.tick,
  });
  return {
    start: () => worker.start(),
    failure: new Promise(() => undefined),
    finish: async () => {
      await worker.close();
      return got;
    },
  };
}

async function another(spec: RunSpec, jobs: Jobs, acks: Countdown): Promise<Getter> {
  const member = hire();
  await member.prepare(spec, 1, (more) => acks.count(more));
  return {
    start: () => member.start(),
    failure: member.failure,
    finish: async () => {
      const { counts, got } = await member.finish();
      jobs.audit.add(counts);
      release([member]);
      return got;
    },
  };
}

/** Calls `put` for each job when its time has come, and notes that time. */
async function openLoop(due: Float64Array, interval: number, put: (index: number) => Promise<void>): Promise<void> {
  const start = monotonic();
  const puts: Promise<void>[] = [];
  while (puts.length < due.length) {
    const next = start + puts.length * interval;
    if (monotonic() < next) await sleep(Math.max(1, next - monotonic()));
    else {
      due[puts.length] = next;
      puts.push(put(puts.length));
    }
  }
  await Promise.all(puts);
}

function latencies(due: Float64Array, sent: Float64Array, got: Float64Array): Record<string, number> {
  const fromCall = Array.from(got, (time, i) => time - sent[i]!);
  const fromSchedule = Array.from(got, (time, i) => time - due[i]!);
  return {
    p50: percentile(fromCall, 0.5),
    p99: percentile(fromCall, 0.99),
    max: Math.max(...fromCall),
    scheduledP99: percentile(fromSchedule, 0.99),
  };
}
