/** Single puts in a closed loop: so many wait for their answers at a time. */
import { drainAndAudit, fill, fillBatch, inLanes, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Put `jobs`, on top of `backlog`. */
export async function put(side: Side, spec: RunSpec): Promise<Prepared> {
  const { inFlight = 1, backlog = 0 } = spec.shape;
  const jobs = new Jobs(spec, backlog + spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, [0, backlog], fillBatch(spec));
  return {
    run: () => inLanes([backlog, jobs.count], inFlight, (index) => producer.put(jobs.task(index))),
    figures: (ms) => ({ rate: (spec.jobs / ms) * 1000 }),
    // A backlog of a million is not drained after each run: runs without one have shown that puts arrive.
    check: async () => (backlog === 0 ? drainAndAudit(side, spec, jobs) : []),
    end: async () => void (await producer.close()),
  };
}
