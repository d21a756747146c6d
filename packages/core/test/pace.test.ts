import { describe, expect, test } from "vitest";
import { Emitter } from "../src/emitter.ts";
import { Patience } from "../src/patience.ts";
import { Pace } from "../src/pace.ts";
import { ManualClock } from "../src/testing/index.ts";

function after(pace: Pace, count: number, ms: number): number {
  for (let n = 0; n < count; n++) pace.ended(ms);
  return pace.ahead;
}

describe("pace", () => {
  test("nothing is taken ahead before it is known how long handlers take", () => {
    const pace = new Pace(10, undefined);
    expect(pace.ahead).toBe(0);
    expect(after(pace, 15, 0)).toBe(0);
    expect(after(pace, 1, 0)).toBeGreaterThan(0);
  });

  test("as many as begin within 20 ms, for quick handlers only", () => {
    expect(after(new Pace(10, undefined), 1000, 2)).toBe(100);
    expect(after(new Pace(1, undefined), 1000, 4)).toBe(5);
    expect(after(new Pace(10, undefined), 1000, 6)).toBe(0);
    expect(after(new Pace(1000, undefined), 1000, 0)).toBe(512);
  });

  test("what the user says holds, but not while a handler hangs", () => {
    const pace = new Pace(1, 7);
    expect(pace.ahead).toBe(7);
    pace.stalled();
    expect(pace.ahead).toBe(0);
    expect(after(pace, 1, 60_000)).toBe(7);
  });
});

describe("emitter", () => {
  test("stops telling those who left, also in the midst of an event", () => {
    const emitter = new Emitter<{ a: number }>();
    const heard: string[] = [];
    const leave = emitter.on("a", (n) => void heard.push(`first ${n}`));
    emitter.on("a", (n) => {
      heard.push(`second ${n}`);
      leave();
    });
    expect(emitter.emit("a", 1)).toBe(true);
    expect(emitter.emit("a", 2)).toBe(true);
    expect(heard).toEqual(["first 1", "second 1", "second 2"]);
  });

  test("says whether anybody listens", () => {
    const emitter = new Emitter<{ a: number }>();
    expect(emitter.emit("a", 1)).toBe(false);
    const leave = emitter.on("a", () => undefined);
    expect(emitter.has("a")).toBe(true);
    leave();
    leave();
    expect(emitter.has("a")).toBe(false);
    expect(() => emitter.on("a", 5 as never)).toThrow(TypeError);
  });
});

describe("looking again", () => {
  test("after 10 ms, doubling to 1 s, and a last time at the end", async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const look = new Patience(clock).until(async () => void at.push(clock.monotonic()), {
      timeout: 3000,
      signal: undefined,
    });
    await clock.advance(5000);
    expect(await look).toBeUndefined();
    expect(at).toEqual([0, 10, 30, 70, 150, 310, 630, 1270, 2270, 3000]);
    expect(clock.timers).toBe(0);
  });
});
