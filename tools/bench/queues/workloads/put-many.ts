/** Calls for many jobs, one after the other. */
import { auditAll, Jobs, type Prepared, putInBatches, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Put `jobs` by calls of `batch`. */
export async function putMany(side: Side, spec: RunSpec): Promise<Prepared> {
  const { batch = 1000 } = spec.shape;
  const jobs = new Jobs(spec, Math.ceil(spec.jobs / batch) * batch);
  const producer = await side.producer(targetOf(spec));
  return {
    run: () => putInBatches(producer, jobs, [0, jobs.count], batch),
    figures: (ms) => ({ rate: (jobs.count / ms) * 1000, jobs: jobs.count }),
    check: () => auditAll(side, spec, jobs),
    end: async () => void (await producer.close()),
  };
}
