/** Workers of several processes empty one full queue. This process fills it, counts and audits; it does not work. */
import { Member } from "../team/member.ts";
import { Countdown, fill, Jobs, type Prepared, targetOf } from "../workload.ts";
import type { Side } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Members of former runs: their code is compiled already, as that of the client is. */
const idle: Member[] = [];

/** `workers` of `concurrency` each, spread over `processes`, drain `jobs`. */
export async function team(side: Side, spec: RunSpec): Promise<Prepared> {
  const { workers = 1, processes = 1 } = spec.shape;
  const jobs = new Jobs(spec, spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, jobs.count, spec);
  await producer.close();
  const acks = new Countdown(spec.jobs);
  const members = Array.from({ length: processes }, () => idle.pop() ?? new Member());
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
      for (const counts of await Promise.all(members.map((member) => member.finish()))) jobs.audit.add(counts);
      idle.push(...members);
      return jobs.audit.problems();
    },
    end: async () => undefined,
  };
}
