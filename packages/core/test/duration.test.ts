import { describe, expect, test } from "vitest";
import { delayAfter, exponential, fixed } from "../src/backoff.ts";
import { checkName } from "../src/check.ts";
import { parseDuration } from "../src/duration.ts";
import { readHeaders, writeHeaders } from "../src/headers.ts";

describe("durations", () => {
  test.each([
    [0, 0],
    [250, 250],
    [0.2, 1],
    ["250ms", 250],
    ["5s", 5000],
    ["1.5s", 1500],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0s", 0],
  ])("%s is %d ms", (value, ms) => {
    expect(parseDuration(value, "delay")).toBe(ms);
  });

  test.each([
    "",
    "5",
    "5 s",
    "s",
    "-1s",
    "5S",
    "1h30m",
    "1e3ms",
    "Infinityms",
    "5s\n",
    "١s",
    null,
    undefined,
    {},
    [5],
    true,
    5n,
    new Date(5),
  ])("%s is a TypeError", (value) => {
    expect(() => parseDuration(value, "delay")).toThrow(TypeError);
  });

  test.each([-1, Number.NaN, Infinity, -Infinity, 1e300, "99999999999999d"])("%s is a RangeError", (value) => {
    expect(() => parseDuration(value, "delay")).toThrow(RangeError);
  });

  test("messages say what was given and what is allowed", () => {
    expect(() => parseDuration("soon", "delay")).toThrow(
      'delay is "soon": it must be a number of milliseconds, or text like "250ms"',
    );
    expect(() => parseDuration(0, "lease", 1)).toThrow("lease is 0: it must be a finite duration of at least 1 ms");
  });
});

describe("names", () => {
  test("any well-formed Unicode up to the limit in bytes", () => {
    for (const name of ["a", "ü".repeat(127), "🚀", "../..", "\u0000", "__proto__", "a b/c:d*{e}"]) {
      expect(checkName(name, "the key", 255)).toBe(name);
    }
  });

  test.each([
    ["", RangeError, "must not be empty"],
    ["x".repeat(256), RangeError, "has 256 bytes of UTF-8: at most 255"],
    ["ü".repeat(128), RangeError, "256 bytes"],
    ["a\ud800", TypeError, "lone surrogate"],
    ["\udc00a", TypeError, "lone surrogate"],
    [5, TypeError, "must be a string, not number"],
    [null, TypeError, "not null"],
  ])("refuses %j", (name, type, message) => {
    expect(() => checkName(name, "the key", 255)).toThrow(type);
    expect(() => checkName(name, "the key", 255)).toThrow(message);
  });
});

describe("backoff", () => {
  test("exponential grows by the factor up to the longest", () => {
    const backoff = exponential({ base: "1s", factor: 3, max: "10s", jitter: false });
    expect([1, 2, 3, 4, 100, 5000].map((attempt) => delayAfter(backoff, attempt, undefined))).toEqual([
      1000, 3000, 9000, 10_000, 10_000, 10_000,
    ]);
  });

  test("full jitter: anywhere between none and all of it", () => {
    const draws = Array.from({ length: 500 }, () => delayAfter(exponential(), 4, undefined));
    expect(Math.max(...draws)).toBeLessThanOrEqual(8000);
    expect(Math.max(...draws)).toBeGreaterThan(6000);
    expect(Math.min(...draws)).toBeLessThan(2000);
    expect(draws.every(Number.isInteger)).toBe(true);
  });

  test("fixed, and a function", () => {
    expect(delayAfter(fixed("2s"), 9, undefined)).toBe(2000);
    expect(delayAfter((attempt, error) => (error === "x" ? attempt * 10 : 0), 3, "x")).toBe(30);
    expect(() => delayAfter(() => -1, 1, undefined)).toThrow(RangeError);
  });

  test("wrong options", () => {
    expect(() => exponential({ base: 0 })).toThrow(RangeError);
    expect(() => exponential({ factor: 0.5 })).toThrow(RangeError);
    expect(() => exponential({ factor: Number.NaN })).toThrow(RangeError);
    expect(() => fixed(-1)).toThrow(RangeError);
  });
});

describe("headers", () => {
  test("come back as they were, and are nothing when there is nothing to say", () => {
    expect(writeHeaders({ keepsResult: false, backoff: null })).toBe("");
    for (const backoff of [
      null,
      fixed(5),
      exponential(),
      exponential({ base: 3, factor: 1.5, max: 9, jitter: false }),
    ]) {
      const headers = { keepsResult: true, backoff };
      expect(readHeaders(writeHeaders(headers))).toEqual(headers);
    }
  });

  test("what cannot be read is as though it were not there", () => {
    for (const text of ["", "{", "null", "5", "[]", '{"b":["f",-1]}', '{"b":["x"]}', '{"r":true,"z":1}']) {
      expect(readHeaders(text).backoff).toBeNull();
      expect(readHeaders(text).keepsResult).toBe(false);
    }
    expect(readHeaders('{"r":1,"later":"unknown"}').keepsResult).toBe(true);
  });
});
