/** Workers of several processes empty one full queue. This process fills it, counts and audits; it does not work. */
import { hire, release } from "../team/member.ts";
import { Countdown, fill, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** `workers` of `concurrency` each, spread over `processes`, drain `jobs`. */
export async function team(side: Side, spec: RunSpec): Promise<Prepared> {
  const { workers = 1, processes = 1 } = spec.shape;
  const jobs = new Jobs(spec, spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, jobs.count, spec);
  await producer.close();
  const acks = new Countdown(spec.jobs);
  const members = Array.from({ length: processes }, hire);
  const onAcked = (more: number): void => acks.count(more);
  await Promise.all(members.map((member) => member.prepare(spec, workers / processes, onAcked)));
  return {
    run: async () => {
      for (const member of members) member.start();
      await Promise.race([acks.over, ...members.map(({ failure }) => failure)]);
    },
    figures: (ms) => ({
      rate: (spec.jobs / ms) * 1000,
      clientCpuUs: members.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    }),
    check: async () => {
      for (const { counts } of await Promise.all(members.map((member) => member.finish()))) jobs.audit.add(counts);
      release(members);
      return jobs.audit.problems();
    },
    end: async () => undefined,
  };
}
