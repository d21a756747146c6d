/** No rule of the suite, and nothing in core, needs more of a store than that a put is one step, and in other calls the change of each job. */
import { describe, expect, it, test } from "vitest";
import { defineCapabilities } from "../src/capabilities.ts";
import { PqError } from "../src/index.ts";
import type { RequestId } from "../src/job.ts";
import { conformance } from "../src/testing/conformance.ts";
import { memoryCapabilities, referenceHarness } from "../src/testing/index.ts";
import { type Between, JobByJob } from "./job-by-job.ts";
import { override, turn } from "./mutants/helpers.ts";
import { Gate, TestBackend, turns } from "./support.ts";

/** The reference store looks at all jobs in each step. */
const capabilities = defineCapabilities({ ...memoryCapabilities, maxBatch: 500 });

conformance(
  {
    name: "a store that works calls off job by job",
    capabilities,
    open() {
      const store = new JobByJob();
      return referenceHarness({ wrap: (backend) => override(store.connect(backend), { capabilities }) }).open();
    },
  },
  { describe, it },
);

function setUp(between: Between) {
  const t = new TestBackend();
  const backend = new JobByJob(between).connect(t.backend);
  return { t, queue: t.queue<number>({ backend }) };
}

describe("calls for many jobs", () => {
  test("that are each broken off after two of them settle every job once, strand none and burn no attempt", async () => {
    const steps = new Map<RequestId, number>();
    const { t, queue } = setUp(async (request) => {
      await turn();
      const step = (steps.get(request) ?? 0) + 1;
      steps.set(request, step);
      if (step === 2) throw new PqError("OUTCOME_UNKNOWN", "broken off");
    });
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    await queue.putMany(numbers);
    const done: number[] = [];
    const errors: unknown[] = [];
    const worker = queue.work((job) => void done.push(job.attempt === 1 ? job.payload : NaN), { concurrency: 20 });
    worker.on("error", (event) => errors.push(event));
    for (let i = 0; i < 1000 && (await queue.stats()).counters.ack < 100; i++) {
      await t.clock.advance(20);
      await turns();
    }
    expect(done.toSorted((a, b) => a - b)).toEqual(numbers);
    expect(errors).toEqual([]);
    expect(await queue.stats()).toMatchObject({
      ready: 0,
      leased: 0,
      counters: { take: 100, ack: 100, leaseExpired: 0 },
    });
    expect([...steps.values()].filter((step) => step >= 2).length).toBeGreaterThan(10);
    await Promise.all([queue.close(), t.clock.advance(20_000)]);
  });

  test("a take that goes on after its repetition was answered: what it takes then is given back", async () => {
    const gate = new Gate();
    const { t, queue } = setUp(() => gate.opened);
    await queue.putMany([1, 2, 3]);
    const taking = queue.takeMany(3);
    await t.clock.advance(5100);
    expect((await taking).map(({ payload }) => payload)).toEqual([1]);
    gate.open();
    await turns();
    await t.clock.advance(10);
    const { jobs } = await queue.list({ state: "ready" });
    expect(jobs.map(({ payload, attempt }) => [payload, attempt])).toEqual([
      [2, 0],
      [3, 0],
    ]);
    await queue.close();
  });
});
