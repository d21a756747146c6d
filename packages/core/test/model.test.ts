import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PutOutcome, QueueStats, Settlement, SettleOutcome, Touch } from "../src/backend.ts";
import { systemClock } from "../src/clock.ts";
import type { DeliveredJob, JobId, LeaseProof, NewJob } from "../src/job.ts";
import type { Harness } from "../src/testing/harness.ts";
import { ManualClock } from "../src/testing/manual-clock.ts";
import { modelTest } from "../src/testing/model.ts";
import { memoryCapabilities, ReferenceBackend } from "../src/testing/reference/backend.ts";
import type { Entry } from "../src/testing/reference/entry.ts";
import { referenceHarness } from "../src/testing/reference/harness.ts";
import { ReferenceQueue } from "../src/testing/reference/queue.ts";
import { ReferenceStore } from "../src/testing/reference/store.ts";

describe("on a manual clock", () => {
  it("finds nothing on a second reference store", { timeout: 60_000 }, async () => {
    const report = await modelTest(referenceHarness(), fc, { runs: 300 });
    expect(report).toMatchObject({ runs: 300, undecided: 0 });
    expect(report.commands).toBeGreaterThan(300 * 20);
  });

  it(
    "finds nothing on a store that is looked at every millisecond, so answers do not depend on who looked when",
    { timeout: 60_000 },
    async () => {
      await modelTest(watchedHarness(), fc, { runs: 100 });
    },
  );

  it("does without what a store cannot do", async () => {
    const capabilities = {
      ...memoryCapabilities,
      keys: false,
      groups: false,
      results: false,
      capacity: false,
      shared: false,
    };
    class Plain extends ReferenceQueue {
      protected override add(job: NewJob, now: number): void {
        expect([job.key, job.group, job.keepResult]).toEqual([null, null, null]);
        super.add(job, now);
      }
    }
    await modelTest({ ...referenceHarness({ queue: () => new Plain() }), capabilities }, fc, { runs: 20 });
  });

  it("reports seed, path and the calls of a short failing run, and runs it again from them", async () => {
    const harness = referenceHarness({ queue: () => new KeepsAttemptOnRelease() });
    const error = await failure(modelTest(harness, fc, { seed: 1 }));
    expect(error.message).toMatch(/reference and the reference store differ/);
    expect(error.message).toMatch(/release/);
    expect(error.message).toMatch(/attempt: the model says 0, the store 1/);
    expect(error.message.split("\n").length).toBeLessThan(25);
    const [, path = ""] = /path: "([\d:]+)"/.exec(error.message) ?? [];
    const again = await failure(modelTest(harness, fc, { seed: 1, path, runs: 1 }));
    expect(calls(again)).toEqual(calls(error));
  });
});

class KeepsAttemptOnRelease extends ReferenceQueue {
  protected override settleOne(entry: Entry, item: Settlement, now: number): SettleOutcome {
    if (item.type === "release") entry.attempt++;
    return super.settleOne(entry, item, now);
  }
}

class ReturnsToTheFreshLane extends ReferenceQueue {
  protected override giveBack(entry: Entry, delay?: number, now?: number): void {
    super.giveBack(entry, delay, now);
    entry.returned = false;
  }
}

class PlacesDelayedJobsAtThePut extends ReferenceQueue {
  protected override add(job: NewJob, now: number): void {
    super.add(job, now);
    const entry = this.jobs.get(job.id);
    if (entry !== undefined) entry.position ??= this.nextPosition();
  }
}

class KicksWithOldAttempts extends ReferenceQueue {
  protected override revive(entry: Entry, counter: "kick" | "dig"): void {
    const { attempt } = entry;
    super.revive(entry, counter);
    entry.attempt = attempt;
  }
}

class ShortensLeases extends ReferenceQueue {
  protected override extend(entry: Entry, touch: Touch, now: number): void {
    super.extend(entry, touch, now);
    entry.leaseUntil = now + touch.lease;
  }
}

class DoneJobsHoldTheirKeys extends ReferenceQueue {
  protected override heldKeys(): Map<string, JobId> {
    const held = [...this.jobs.values()].filter(({ key }) => key !== null);
    return new Map(held.map(({ key, id }) => [key ?? "", id]));
  }
}

class TakesAnyFence extends ReferenceQueue {
  protected override holder({ id }: LeaseProof, now: number): Entry | undefined {
    return super.holder({ id, fence: this.jobs.get(id)?.fence ?? 0 }, now);
  }
}

class LeasesEndLate extends ReferenceQueue {
  protected override leaseIsOver(entry: Entry, now: number): boolean {
    return super.leaseIsOver(entry, now - 1);
  }
}

class ExpiresUnderTheConsumer extends ReferenceQueue {
  protected override lifeIsOver(entry: Entry, now: number): boolean {
    return entry.expiresAt !== null && entry.expiresAt <= now;
  }
}

class CountsBuriedJobsAsSize extends ReferenceQueue {
  protected override size(): number {
    return super.size() + this.inState("buried").length;
  }
}

class StoresPartOfAPut extends ReferenceQueue {
  protected override plan(jobs: readonly NewJob[], maxSize: number | null): PutOutcome[] {
    return super.plan(jobs, maxSize, true);
  }
}

class ForgetsThePauseAtRestart extends ReferenceQueue {
  override restarted(): void {
    this.paused = false;
  }
}

class ForgetsFencesAtRestart extends ReferenceQueue {
  override restarted(): void {
    this.lastFence = 0;
  }
}

class RepeatsATakeAsANewOne extends ReferenceQueue {
  override take(params: { request: never; limit: number; lease: number }, now: number): DeliveredJob[] {
    for (const entry of this.jobs.values()) entry.leasedBy = null;
    return super.take(params, now);
  }
}

class LeasesEndNever extends ReferenceQueue {
  protected override leaseIsOver(): boolean {
    return false;
  }
}

class CountsTouchesTwice extends ReferenceQueue {
  override stats(now: number): QueueStats {
    const stats = super.stats(now);
    return { ...stats, counters: { ...stats.counters, touch: stats.counters.touch * 2 } };
  }
}

const mutants = [
  KeepsAttemptOnRelease,
  ReturnsToTheFreshLane,
  PlacesDelayedJobsAtThePut,
  KicksWithOldAttempts,
  ShortensLeases,
  DoneJobsHoldTheirKeys,
  TakesAnyFence,
  LeasesEndLate,
  ExpiresUnderTheConsumer,
  CountsBuriedJobsAsSize,
  StoresPartOfAPut,
  ForgetsThePauseAtRestart,
  ForgetsFencesAtRestart,
  RepeatsATakeAsANewOne,
  CountsTouchesTwice,
];

describe("catches a store that", () => {
  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s", async (_name, Mutant) => {
    const harness = referenceHarness({ queue: () => new Mutant() });
    await failure(modelTest(harness, fc, { runs: 300, seed: 7, shrink: false }));
  });
});

/** The reference store, with somebody who looks at its queues every millisecond. */
function watchedHarness(): Harness {
  return {
    ...referenceHarness(),
    async open() {
      const clock = new ManualClock();
      const store = new ReferenceStore(clock);
      const look = (): void =>
        store
          .names()
          .slice(-1)
          .forEach((name) => store.step(name, (queue, now) => queue.catchUp(now)));
      const pass = async (ms: number): Promise<void> => {
        for (let left = ms; left > 0; left--) {
          await clock.advance(1);
          look();
        }
      };
      const close = (): Promise<void> => Promise.resolve();
      return { clock, faults: {}, pass, close, connect: () => new ReferenceBackend(store) };
    },
  };
}

/** The calls that an error lists, without what differs from run to run. */
function calls(error: Error): string[] {
  return error.message
    .replaceAll(/createdAt: \d+/g, "createdAt")
    .split("\n")
    .slice(1);
}

/** What the model test rejects with. */
async function failure(test: Promise<unknown>): Promise<Error> {
  const error: unknown = await test.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof Error)) throw new Error("the model test found nothing");
  return error;
}

/** The reference store on the machine's clock. */
function realTimeHarness(queue?: () => ReferenceQueue): Harness {
  return {
    ...referenceHarness(),
    async open() {
      const store = new ReferenceStore(systemClock, queue);
      const pass = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.timer(ms, resolve));
      const close = (): Promise<void> => Promise.resolve();
      return { clock: systemClock, faults: {}, pass, close, connect: () => new ReferenceBackend(store) };
    },
  };
}

describe("on real time", () => {
  // One round of many runs at once, in ticks that a busy machine keeps up with.
  const short = { runs: 50, lanes: 50, commands: 50, tick: 200 };

  it("finds nothing on a second reference store", { timeout: 60_000 }, async () => {
    const report = await modelTest(realTimeHarness(), fc, { ...short, seed: 3 });
    expect(report.undecided).toBeLessThan(25);
  });

  const caught = [LeasesEndNever, PlacesDelayedJobsAtThePut].map((mutant) => [mutant.name, mutant] as const);
  it.each(caught)("catches a store that %s", { timeout: 60_000 }, async (_name, Mutant) => {
    const harness = realTimeHarness(() => new Mutant());
    const error = await failure(modelTest(harness, fc, { ...short, seed: 3 }));
    expect(error.message).toMatch(/the model says .*, the store /);
  });

  it("says so when nothing could be decided", async () => {
    await expect(modelTest(realTimeHarness(), fc, { runs: 5, tick: 0.001 })).rejects.toThrow(/give a longer tick/);
  });
});
