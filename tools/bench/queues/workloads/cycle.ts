/** Producers and a worker at once, in one process, in a closed loop: what the queue can carry. */
import { Countdown, inLanes, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** `jobs` go through the queue; the clock stops at the last confirmed ack. */
export async function cycle(side: Side, spec: RunSpec): Promise<Prepared> {
  const { inFlight = 1, concurrency = 1 } = spec.shape;
  const jobs = new Jobs(spec, spec.jobs);
  const producer = await side.producer(targetOf(spec));
  const acks = new Countdown(spec.jobs);
  const worker = await side.worker(targetOf(spec), {
    concurrency,
    prefilled: false,
    handler: (payload) => void jobs.audit.done(payload),
    acked: acks.tick,
  });
  return {
    run: async () => {
      worker.start();
      await inLanes([0, jobs.count], inFlight, (index) => producer.put(jobs.task(index)));
      await acks.over;
    },
    figures: (ms) => ({ rate: (spec.jobs / ms) * 1000 }),
    check: async () => jobs.audit.problems(),
    end: async () => void (await Promise.all([worker.close(), producer.close()])),
  };
}
