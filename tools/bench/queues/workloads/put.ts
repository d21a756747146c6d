/** Single puts in a closed loop: so many wait for their answers at a time. */
import { auditAll, fill, inLanes, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Put `jobs`, on top of `backlog`. */
export async function put(side: Side, spec: RunSpec): Promise<Prepared> {
  const { inFlight = 1, backlog = 0, limit = Infinity } = spec.shape;
  const jobs = new Jobs(spec, backlog + spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, backlog, spec);
  let done = 0;
  const one = async (index: number): Promise<void> => {
    await producer.put(jobs.task(index));
    done++;
  };
  return {
    run: () => inLanes([backlog, jobs.count], inFlight, one, performance.now() + limit * 1000),
    figures: (ms) => ({ rate: (done / ms) * 1000, jobs: done, ...(done < spec.jobs ? { stopped: limit } : {}) }),
    // A backlog of a million is not drained after each run: runs without one have shown that puts arrive.
    check: async () => (backlog === 0 ? auditAll(side, spec, jobs) : []),
    end: async () => void (await producer.close()),
  };
}
