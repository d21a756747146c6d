/** A worker empties a full queue. The clock stops at the last confirmed ack, not at the last handler. */
import { Countdown, fill, Jobs, type Prepared, targetOf, within } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Drain `jobs` of `jobs + backlog`, or as many as the limit lets it. With `failEvery`, some fail at their first attempt and come again at once. */
export async function drain(side: Side, spec: RunSpec): Promise<Prepared> {
  const { concurrency = 1, backlog = 0, failEvery = Infinity, limit } = spec.shape;
  const jobs = new Jobs(spec, backlog + spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, jobs.count, spec);
  await producer.close();
  const acks = new Countdown(spec.jobs);
  let acked = 0;
  let done = spec.jobs;
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
    acked: () => {
      acked++;
      acks.tick();
    },
  });
  return {
    run: async () => {
      worker.start();
      if (!(await within(acks.over, limit))) done = acked;
    },
    figures: (ms) => ({
      rate: (done / ms) * 1000,
      jobs: done,
      ...(done < spec.jobs ? { stopped: limit } : {}),
      ...(failed.size > 0 ? { failures: failed.size } : {}),
    }),
    check: async () => {
      if (side.missing.audit !== undefined) return [];
      // What is left is still in the queue: then only doubles can be told.
      return jobs.audit.problems(backlog > 0 || done < spec.jobs ? 0 : jobs.count);
    },
    end: async () => void (await worker.close()),
  };
}
