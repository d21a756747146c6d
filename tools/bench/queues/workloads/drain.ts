/** A worker empties a full queue. The clock stops at the last confirmed ack, not at the last handler. */
import { Countdown, fill, fillBatch, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Drain `jobs` of `jobs + backlog`. With `failEvery`, some fail at their first attempt and come again at once. */
export async function drain(side: Side, spec: RunSpec): Promise<Prepared> {
  const { concurrency = 1, backlog = 0, failEvery = Infinity } = spec.shape;
  const jobs = new Jobs(spec, backlog + spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, [0, jobs.count], fillBatch(spec));
  await producer.close();
  const acks = new Countdown(spec.jobs);
  const failed = new Set<number>();
  const worker = await side.worker(targetOf(spec), {
    concurrency,
    prefilled: true,
    handler: (payload) => {
      if (payload.seq % failEvery === 0 && !failed.has(payload.seq)) {
        failed.add(payload.seq);
        throw new Error("this job fails at its first attempt");
      }
      jobs.audit.done(payload);
    },
    acked: acks.tick,
  });
  return {
    run: async () => {
      worker.start();
      await acks.over;
    },
    figures: (ms) => ({ rate: (spec.jobs / ms) * 1000, ...(failed.size > 0 ? { failures: failed.size } : {}) }),
    check: async () => {
      if (side.missing.audit !== undefined) return [];
      // What is left of a backlog is still in the queue: then only doubles can be told.
      return jobs.audit.problems(backlog > 0 ? 0 : jobs.count);
    },
    end: async () => void (await worker.close()),
  };
}
