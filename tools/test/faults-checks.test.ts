/** The checks of tools/faults, on histories made by hand: each must find what is wrong with its own, and nothing else. */
import { describe, expect, it } from "vitest";
import { check } from "../faults/check/index.ts";
import { historyOf } from "../faults/check/history.ts";
import type { Event, How, PutJob } from "../faults/event.ts";
import { Random } from "../faults/random.ts";
import { BOUNDS, Story } from "./faults-story.ts";

const job = (id: string, more: Partial<PutJob> = {}): PutJob => ({ id, maxAttempts: 3, ...more });
const a = job("a");

/** A job that was put, delivered once and acked. */
function plain(): Story {
  return new Story().put([a], 100).deliver("a", 1, 200).hold("a", 1, 250).settle("a", 1, 260);
}

describe("a history without a fault", () => {
  it("has nothing wrong with it", () => {
    expect(plain().violations()).toEqual([]);
  });

  it("may have everything that faults do to it", () => {
    const story = plain()
      // Of unknown outcome, and there; of unknown outcome, and not.
      .put([job("b")], 110, { outcome: "unknown" })
      .count("put", 1)
      .deliver("b", 1, 300)
      .settle("b", 1, 310, { outcome: "unknown" })
      .count("ack", 1)
      .put([job("c"), job("d")], 120, { outcome: "unknown" })
      // A lease that ran out, an ack that came too late, the next holder, a release, a failure, and the end.
      .put([job("e")], 130)
      .deliver("e", 1, 400, { until: 900 })
      .deliver("e", 2, 950, { process: "other" })
      .settle("e", 1, 960, { outcome: "lost" })
      .settle("e", 2, 970, { how: "release", delay: 100 })
      .deliver("e", 3, 1070, { attempt: 2 })
      .settle("e", 3, 1080, { how: "fail", delay: 50 })
      .deliver("e", 4, 1131, { attempt: 3 })
      .settle("e", 4, 1140, { how: "fail" })
      .remains("e");
    expect(story.violations()).toEqual([]);
  });
});

describe("what is lost and doubled", () => {
  it("a job that was accepted and is nowhere", () => {
    expect(new Story().put([a], 100).count("ack", 1).broken()).toEqual(["lost"]);
  });

  it("a job whose only ack was refused", () => {
    const story = new Story()
      .put([a], 100)
      .deliver("a", 1, 200)
      .settle("a", 1, 260, { outcome: "lost" })
      .count("ack", 1);
    expect(story.broken()).toEqual(["lost"]);
  });

  it("a job that comes again after its ack", () => {
    expect(plain().deliver("a", 2, 900).broken()).toEqual(["doubled"]);
  });

  it("a job that came to another before its ack was confirmed", () => {
    expect(plain().deliver("a", 2, 265, { process: "other" }).broken()).toEqual(["doubled"]);
  });

  it("a job that is still there after its ack", () => {
    expect(plain().remains("a").broken()).toEqual(["doubled", "totals"]);
  });

  it("a job that nobody put", () => {
    const seen = plain().deliver("x", 1, 300).settle("x", 1, 310).count("put", 1);
    expect(seen.broken()).toEqual(["doubled", "totals"]);
    expect(plain().remains("x").count("put", 1).broken()).toEqual(["doubled", "totals"]);
  });

  it("a job that was told to be a duplicate", () => {
    const story = plain()
      .put([job("b")], 300, { duplicates: { b: "a" } })
      .deliver("b", 1, 400);
    expect(story.settle("b", 1, 410).count("put", 1).broken()).toContain("doubled");
  });

  it("a put that was told as not applied", () => {
    const story = plain()
      .put([job("b")], 300, { outcome: "refused" })
      .deliver("b", 1, 400)
      .settle("b", 1, 410);
    expect(story.count("put", 1).broken()).toEqual(["refused", "totals"]);
  });

  it("a half of a putMany", () => {
    const story = plain()
      .put([job("b"), job("c")], 300, { outcome: "unknown" })
      .count("put", 1);
    expect(story.deliver("b", 1, 400).settle("b", 1, 410).broken()).toEqual(["torn"]);
  });

  it("a payload that was changed", () => {
    expect(new Story().put([a], 100).deliver("a", 1, 200, { sound: false }).settle("a", 1, 260).broken()).toEqual([
      "damaged",
    ]);
  });
});

describe("who holds a job", () => {
  const given = (): Story => new Story().put([a], 100).deliver("a", 1, 200, { until: 600 });

  it("two, by the first one's own measure of its lease", () => {
    expect(given().deliver("a", 2, 500, { process: "other" }).settle("a", 2, 700).broken()).toEqual(["second holder"]);
    expect(given().deliver("a", 2, 601, { process: "other" }).settle("a", 2, 700).broken()).toEqual([]);
  });

  it("two, by what the library said", () => {
    const story = given().hold("a", 1, 800).deliver("a", 2, 700, { process: "other" });
    expect(story.settle("a", 2, 900).broken()).toEqual(["second holder"]);
  });

  it("not two, once the first has begun to settle", () => {
    const story = given().settle("a", 1, 300, { how: "fail" }).deliver("a", 2, 311, { process: "other" });
    expect(story.settle("a", 2, 400).broken()).toEqual([]);
  });

  it("one fence, twice", () => {
    const story = new Story().put([a], 100).deliver("a", 1, 200).deliver("a", 1, 300, { process: "other" });
    expect(story.settle("a", 1, 400).broken()).toEqual(["fence"]);
  });

  it("a fence lower than one that was settled", () => {
    const story = new Story().put([a], 100).deliver("a", 5, 200, { attempt: 1 }).settle("a", 5, 210, { how: "fail" });
    expect(story.deliver("a", 4, 300, { attempt: 2 }).settle("a", 4, 310).broken()).toContain("fence");
  });
});

describe("attempts", () => {
  const again = (attempt: number, how: How = "fail"): Story =>
    new Story().put([a], 100).deliver("a", 1, 200).settle("a", 1, 210, { how }).deliver("a", 2, 300, { attempt });

  it("that stand still", () => {
    expect(again(1).settle("a", 2, 310).broken()).toEqual(["attempt"]);
    expect(again(1, "release").settle("a", 2, 310).broken()).toEqual([]);
  });

  it("beyond the last", () => {
    expect(again(4).settle("a", 2, 310).broken()).toEqual(["attempt"]);
  });

  it("of a job that is buried before its last, or by nobody", () => {
    expect(again(2).remains("a", { attempt: 2 }).broken()).toEqual(["attempt"]);
    expect(again(2).remains("a", { attempt: 2, buryReason: "buried" }).broken()).toEqual(["attempt"]);
    expect(
      again(2).settle("a", 2, 310, { how: "bury" }).remains("a", { attempt: 2, buryReason: "buried" }).broken(),
    ).toEqual([]);
  });
});

describe("time", () => {
  it("a delayed job that comes early", () => {
    const story = (at: number): Story =>
      new Story()
        .put([job("a", { delay: 500 })], 100)
        .deliver("a", 1, at)
        .settle("a", 1, at + 1);
    expect(story(590).broken()).toEqual(["early"]);
    expect(story(600).broken()).toEqual([]);
  });

  it("a failed job that comes back early", () => {
    const story = (at: number): Story =>
      plainFailure(150)
        .deliver("a", 2, at)
        .settle("a", 2, at + 1);
    expect(story(340).broken()).toEqual(["early"]);
    expect(story(360).broken()).toEqual([]);
  });

  it("a call that settles late, unless its process was stopped or its loop was blocked", () => {
    const late = (): Story =>
      plain()
        .put([job("b")], 1000, { at: 3500 })
        .deliver("b", 1, 3600)
        .settle("b", 1, 3610);
    expect(late().broken()).toEqual(["deadline"]);
    expect(
      late().conduct({ type: "fault", name: "stopped", at: 1100, until: 2600, process: "producer" }).broken(),
    ).toEqual([]);
    expect(
      late().conduct({ type: "fault", name: "stopped", at: 1100, until: 2600, process: "worker" }).broken(),
    ).toEqual(["deadline"]);
    expect(late().write("producer", { type: "blocked", at: 1100, until: 2600 }).broken()).toEqual([]);
  });

  it("a call that never settles, unless its process was killed", () => {
    expect(
      plain()
        .put([job("b")], 1000, null)
        .broken(),
    ).toEqual(["deadline"]);
    expect(
      plain()
        .put([job("b")], 1000, null, "dead")
        .killed("dead")
        .broken(),
    ).toEqual([]);
  });

  function plainFailure(delay: number): Story {
    return new Story().put([a], 100).deliver("a", 1, 200).settle("a", 1, 210, { how: "fail", delay });
  }
});

describe("groups and keys", () => {
  const inGroup = (...ids: readonly string[]): PutJob[] => ids.map((id) => job(id, { group: "g" }));

  it("two of a group at a time", () => {
    const story = new Story().put(inGroup("a", "b"), 100).deliver("a", 1, 200, { until: 700 }).deliver("b", 1, 300);
    expect(story.settle("a", 1, 710).settle("b", 1, 310).broken()).toEqual(["group order"]);
  });

  it("the second of a group before the first, in one call and in two", () => {
    const wrong = (story: Story): Story =>
      story.deliver("b", 1, 200).settle("b", 1, 210).deliver("a", 1, 300).settle("a", 1, 310);
    expect(wrong(new Story().put(inGroup("a", "b"), 100)).broken()).toEqual(["group order"]);
    expect(wrong(new Story().put(inGroup("a"), 100).put(inGroup("b"), 120)).broken()).toEqual(["group order"]);
    // Calls that ran together may be in any order, and one of unknown outcome may have come late.
    expect(wrong(new Story().put(inGroup("a"), 100).put(inGroup("b"), 105)).broken()).toEqual([]);
    expect(
      wrong(new Story().put(inGroup("a"), 100, { outcome: "unknown" }).count("put", 1).put(inGroup("b"), 120)).broken(),
    ).toEqual([]);
  });

  it("the second while the first waits for its retry", () => {
    const story = new Story()
      .put(inGroup("a", "b"), 100)
      .deliver("a", 1, 200)
      .settle("a", 1, 210, { how: "fail", delay: 100 });
    story.deliver("b", 1, 250).settle("b", 1, 260).deliver("a", 2, 320).settle("a", 2, 330);
    expect(story.broken()).toEqual(["group order"]);
  });

  it("two live jobs of one key", () => {
    const keyed = (id: string): PutJob => job(id, { key: "k" });
    const both = (at: number): Story =>
      new Story()
        .put([keyed("a")], 100)
        .put([keyed("b")], at)
        .deliver("a", 1, 300)
        .settle("a", 1, 310);
    const end = (story: Story): readonly string[] => story.deliver("b", 1, 400).settle("b", 1, 410).broken();
    expect(end(both(200))).toEqual(["key"]);
    expect(end(both(305))).toEqual([]);
  });

  it("a duplicate of a job with another key", () => {
    expect(
      plain()
        .put([job("b", { key: "k" })], 300, { duplicates: { b: "a" } })
        .broken(),
    ).toEqual(["key"]);
  });
});

describe("the run", () => {
  it("no delivery in time after a fault", () => {
    const cut = (until: number): Event => ({ type: "fault", name: "cut", at: 50, until });
    expect(plain().conduct(cut(60)).broken()).toEqual([]);
    expect(plain().conduct(cut(5000)).broken()).toEqual(["liveness"]);
  });

  it("a worker that takes nothing any more, and one that is not well", () => {
    const healthy: Event = { type: "health", at: 150, ok: true };
    const heal = (at: number): Event => ({ type: "phase", name: "heal", at });
    expect(plain().write("worker", healthy).conduct(heal(150)).broken()).toEqual([]);
    expect(plain().write("worker", healthy).conduct(heal(230)).broken()).toEqual(["liveness"]);
    expect(
      plain()
        .write("worker", healthy, { ...healthy, ok: false, reason: "no" })
        .conduct(heal(150))
        .broken(),
    ).toEqual(["health"]);
  });

  it("jobs that nobody worked off", () => {
    expect(new Story().put([a], 100).remains("a", { state: "ready", attempt: 0, buryReason: null }).broken()).toEqual([
      "liveness",
    ]);
  });

  it("a process that died by itself", () => {
    const gone = (killed: boolean, how: string): Event => ({ type: "gone", at: 500, process: "worker", killed, how });
    expect(plain().conduct(gone(true, "SIGKILL"), gone(false, "0")).broken()).toEqual([]);
    expect(plain().conduct(gone(false, "1")).broken()).toEqual(["process"]);
  });

  it("counts that do not agree with what is there, and counters that do not with what was done", () => {
    expect(plain().conduct({ type: "totals", at: 1, states: {}, counters: {} }).broken()).toEqual([]);
    expect(plain().count("put", 1).broken()).toEqual(["totals"]);
    expect(
      plain()
        .count("put", 1)
        .violations({ ...BOUNDS, exactCounters: false }),
    ).toEqual([]);
    expect(check(historyOf([]), BOUNDS).map(({ rule }) => rule)).toEqual(["totals"]);
  });
});

describe("chance", () => {
  it("is the same for the same seed and name, and another for others", () => {
    const draw = (seed: number, name: string): number[] => {
      const random = new Random(seed, name);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(draw(1, "a")).toEqual(draw(1, "a"));
    expect(draw(1, "a")).not.toEqual(draw(2, "a"));
    expect(draw(1, "a")).not.toEqual(draw(1, "b"));
  });

  it("follows the weights", () => {
    const random = new Random(1);
    const names = Array.from({ length: 1000 }, () => random.weighted({ often: 9, never: 0, seldom: 1 }));
    const often = names.filter((name) => name === "often").length;
    expect(often).toBeGreaterThan(850);
    expect(often).toBeLessThan(950);
    expect(names).not.toContain("never");
  });
});
