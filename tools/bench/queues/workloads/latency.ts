/**
 * From put to handler, in an open loop: a put goes out when it is due, whatever the answers do. Latency counts from the call; `scheduledP99` counts
 * from the time at which the put was due, so a client that is busy hides nothing. Producer and worker share a process and its clock.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../../stats.ts";
import { Countdown, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** So many jobs at `rate` per second, to a worker that waits for them. */
export async function latency(side: Side, spec: RunSpec): Promise<Prepared> {
  const { rate = 250, concurrency = 10 } = spec.shape;
  const jobs = new Jobs(spec, spec.jobs);
  const producer = await side.producer(targetOf(spec));
  const [due, sent, got] = [0, 1, 2].map(() => new Float64Array(spec.jobs)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const acks = new Countdown(spec.jobs);
  const worker = await side.worker(targetOf(spec), {
    concurrency,
    prefilled: false,
    handler: (payload) => {
      const now = performance.now();
      const index = jobs.audit.done(payload);
      if (index >= 0) got[index] = now;
    },
    acked: acks.tick,
  });
  worker.start();
  const put = async (index: number): Promise<void> => {
    const task = jobs.task(index);
    sent[index] = performance.now();
    await producer.put(task);
  };
  return {
    run: async () => {
      await openLoop(due, 1000 / rate, put);
      await acks.over;
    },
    figures: () => latencies(due, sent, got),
    check: async () => jobs.audit.problems(),
    end: async () => void (await Promise.all([worker.close(), producer.close()])),
  };
}

/** Calls `put` for each job when its time has come, and notes that time. */
async function openLoop(due: Float64Array, interval: number, put: (index: number) => Promise<void>): Promise<void> {
  const start = performance.now();
  const puts: Promise<void>[] = [];
  while (puts.length < due.length) {
    const next = start + puts.length * interval;
    if (performance.now() < next) await sleep(Math.max(1, next - performance.now()));
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
