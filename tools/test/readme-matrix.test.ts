import { expect, it } from "vitest";
import { capabilityTable, promiseTable, replaceTable } from "../check/readme-matrix.ts";

const START = "<!-- capabilities: written by `npm test -- --fix matrix` -->";
const END = "<!-- end of capabilities -->";
const full = {
  maxPayload: 1024 * 1024,
  maxBatch: 10_000,
  maxBatchBytes: 16 * 1024 * 1024,
  maxName: 255,
  timePrecision: 1,
  lateness: 100,
  repeatWindow: { ms: 60_000, calls: 10_000 },
  keys: true,
  groups: true,
  results: true,
  capacity: true,
  shared: false,
};

it("says numbers with their units, and flags as words", () => {
  const table = capabilityTable(new Map([["@pq/x", full]]));
  expect(table).toMatch(/\| Largest payload +\| 1 MiB +\|/);
  expect(table).toMatch(/\| Most jobs in one atomic put +\| 10,000 +\|/);
  expect(table).toMatch(/recognised for +\| 60 s, 10,000 calls \|/);
  expect(table).toMatch(/\| Several processes on one store +\| no +\|/);
});

it("gives every line the same length, as the formatter does", () => {
  const lines = capabilityTable(
    new Map([
      ["@pq/x", full],
      ["@pq/longer-name", full],
    ]),
  ).split("\n");
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
});

it("refuses a capability that has no name yet", () => {
  expect(() => capabilityTable(new Map([["@pq/x", { ...full, teleport: true }]]))).toThrow("teleport");
});

it("writes between the markers and nowhere else", () => {
  const readme = `before\n${START}\nold\n${END}\nafter\n`;
  expect(replaceTable(readme, "capabilities", "new")).toBe(`before\n${START}\n\nnew\n\n${END}\nafter\n`);
});

it("asks for the markers when they are missing", () => {
  expect(() => replaceTable("# Title\n", "capabilities", "new")).toThrow(START);
});

it("counts the rules of a promise, and names their files once", () => {
  const rules = [
    { id: "put.a", promise: "P1" },
    { id: "put.b", promise: "P1" },
    { id: "take.c", promise: "P1" },
  ];
  const table = promiseTable({ P1: "kept", P2: "unproven" }, rules);
  expect(table).toMatch(/\| P1 +\| kept +\| 3 +\| put, take \|/);
  expect(table).toMatch(/\| P2 +\| unproven +\| 0 +\|/);
});
