/** One deep queue: what a put, a job that is worked on, and the question for its size cost there. Each has a clock of its own. */
import { Countdown, fill, inLanes, Jobs, type Prepared, targetOf, within } from "../workload.ts";
import type { Producer, Side, Work } from "../side.ts";
import type { RunSpec } from "../spec.ts";

/** Put `jobs` onto `backlog`, ask for the size, and drain `jobs`; or as many as the limit, which is for each by itself, lets it. */
export async function depth(side: Side, spec: RunSpec): Promise<Prepared> {
  const { concurrency = 1, backlog = 0, limit } = spec.shape;
  const jobs = new Jobs(spec, backlog + spec.jobs);
  const producer = await side.producer(targetOf(spec));
  await fill(producer, jobs, backlog, spec);
  const figures: Record<string, number> = {};
  const problems: string[] = [];
  let worker: Work | undefined;
  return {
    run: async () => {
      const put = await putMore(producer, jobs, spec);
      figures["putRate"] = put.rate;
      const asked = performance.now();
      const size = await producer.size?.();
      figures["sizeMs"] = performance.now() - asked;
      const expected = backlog + put.done;
      if (size !== undefined && size !== expected) problems.push(`size ${size} of ${expected} jobs`);
      await producer.close();

      const acks = new Countdown(spec.jobs);
      let acked = 0;
      const opened = performance.now();
      worker = await side.worker(targetOf(spec), {
        concurrency,
        prefilled: true,
        handler: (payload) => void jobs.audit.done(payload),
        acked: () => {
          acked++;
          acks.tick();
        },
      });
      figures["openMs"] = performance.now() - opened;
      const begun = performance.now();
      worker.start();
      const isDone = await within(acks.over, limit);
      const done = isDone ? spec.jobs : acked;
      figures["drainRate"] = (done / (performance.now() - begun)) * 1000;
      figures["jobs"] = put.done + done;
      if (done < spec.jobs && limit !== undefined) figures["stopped"] = limit;
    },
    figures: () => figures,
    // What is left is still in the queue: then only doubles can be told.
    check: async () => [...problems, ...jobs.audit.problems(0)],
    end: async () => void (await worker?.close()),
  };
}

async function putMore(
  producer: Producer,
  jobs: Jobs,
  { shape }: RunSpec,
): Promise<{ readonly done: number; readonly rate: number }> {
  const { inFlight = 1, backlog = 0, limit = Infinity } = shape;
  let done = 0;
  const start = performance.now();
  const one = async (index: number): Promise<void> => {
    await producer.put(jobs.task(index));
    done++;
  };
  await inLanes([backlog, jobs.count], inFlight, one, start + limit * 1000);
  return { done, rate: (done / (performance.now() - start)) * 1000 };
}
