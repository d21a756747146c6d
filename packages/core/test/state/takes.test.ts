/** Which jobs a take still holds. */
import { describe, expect, it } from "vitest";
import { formatJobId, Takes } from "../../src/state/index.ts";
import { newJob } from "../../src/testing/index.ts";
import { Engine } from "./engine.ts";
import { testId, testRequest } from "./support.ts";

const NOW = 1_000;

/** Ten jobs, four of them leased by request 1, two by request 2; the proofs of the four. */
function leased(): {
  readonly engine: Engine;
  readonly proofs: { readonly id: ReturnType<typeof testId>; readonly fence: number }[];
} {
  const engine = new Engine();
  engine.put(
    { jobs: Array.from({ length: 10 }, (_, n) => newJob({ id: testId(n) })), maxSize: null, partial: false },
    NOW,
  );
  const got = engine.take({ request: testRequest(1), limit: 4, lease: 100 }, NOW);
  engine.take({ request: testRequest(2), limit: 2, lease: 200 }, NOW);
  return { engine, proofs: got.map(({ id, fence }) => ({ id, fence: fence as number })) };
}

function held({ queue }: Engine, request: number): string[] {
  return queue.heldBy(testRequest(request)).map((slot) => formatJobId(queue.jobs.table.id(slot, new Int32Array(4))));
}

describe("the jobs that a take holds", () => {
  it("come in the order in which they were given, also when they were touched or restored", () => {
    const { engine, proofs } = leased();
    engine.touch([{ ...proofs[1]!, lease: 500, progress: null }], NOW);
    expect(held(engine, 1)).toEqual([0, 1, 2, 3].map(testId));
    engine.rebuild((slots) => slots.toReversed());
    expect(held(engine, 1)).toEqual([0, 1, 2, 3].map(testId));
    expect(held(engine, 2)).toEqual([4, 5].map(testId));
  });

  it("are those that were neither settled nor lost", () => {
    const { engine, proofs } = leased();
    engine.settle([{ ...proofs[0]!, type: "ack", result: null }], NOW);
    engine.settle([{ ...proofs[2]!, type: "release", delay: 0 }], NOW);
    expect(held(engine, 1)).toEqual([1, 3].map(testId));
    engine.catchUp(NOW + 100);
    expect(held(engine, 1)).toEqual([]);
    expect(held(engine, 2)).toEqual([4, 5].map(testId));
  });

  it("are none after a truncate, whatever comes into their slots", () => {
    const { engine } = leased();
    engine.control({ request: testRequest(9), queue: "q", type: "truncate" }, NOW);
    engine.put({ jobs: [newJob({ id: testId(20) })], maxSize: null, partial: false }, NOW);
    engine.take({ request: testRequest(3), limit: 1, lease: 100 }, NOW);
    expect([held(engine, 1), held(engine, 2), held(engine, 3)]).toEqual([[], [], [testId(20)]]);
  });
});

describe("the index of takes", () => {
  it("knows nothing of a request whose last slot has gone", () => {
    const takes = new Takes();
    for (const slot of [5, 6, 7]) takes.add(testRequest(1), slot);
    for (const slot of [6, 5]) takes.remove(testRequest(1), slot);
    expect(takes.find(testRequest(1))).toEqual([7]);
    takes.remove(testRequest(1), 7);
    expect(takes.find(testRequest(1))).toEqual([]);
  });
});
