/** Producers and a worker at once, in one process, in a closed loop: what the queue can carry. */
import { auditAll, Countdown, fill, Gate, inLanes, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/**
 * `jobs` go in, and as many come out; the clock stops at the last confirmed ack. With a `backlog`, that many are always in between: who has put a job
 * waits for an ack, of whichever job, before the next one.
 */
export async function cycle(side: Side, spec: RunSpec): Promise<Prepared> {
  const { inFlight = 1, concurrency = 1, backlog = 0 } = spec.shape;
  const jobs = new Jobs(spec, backlog + spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, backlog, spec);
  const gate = new Gate();
  const acks = new Countdown(spec.jobs);
  const worker = await side.worker(targetOf(spec), {
    concurrency,
    prefilled: false,
    handler: (payload) => void jobs.audit.done(payload),
    acked: () => {
      acks.tick();
      gate.give();
    },
  });
  const one = async (index: number): Promise<void> => {
    await producer.put(jobs.task(index));
    if (backlog > 0) await gate.take();
  };
  return {
    run: async () => {
      worker.start();
      await inLanes([backlog, jobs.count], inFlight, one);
      await acks.over;
    },
    figures: (ms) => ({ rate: (spec.jobs / ms) * 1000 }),
    check: async () => {
      await worker.close();
      return backlog > 0 ? auditAll(side, spec, jobs) : jobs.audit.problems();
    },
    end: async () => void (await producer.close()),
  };
}
