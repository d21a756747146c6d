import { expect, it } from "vitest";
import { exampleModules } from "../check/readme-examples.ts";

const text = (...lines: string[]): string => lines.join("\n");

it("makes a module of each ts block and keeps the line numbers", () => {
  const modules = exampleModules(
    text("# Title", "```ts", "const a = 1;", "```", "", "```sh", "ls", "```", "```ts", "b();", "```"),
  );
  expect(modules).toEqual([text("", "", "const a = 1;"), text("", "", "", "", "", "", "", "", "", "b();")]);
});

it("puts imagined code on the line that opens the block", () => {
  const given = "<!-- example given: declare const b: number; -->";
  expect(exampleModules(text(given, "", "```ts", "b.toFixed();", "```"))).toEqual([
    text("", "", "declare const b: number;", "b.toFixed();"),
  ]);
});

it("continues the block before", () => {
  const modules = exampleModules(
    text("```ts", "const a = 1;", "```", "<!-- example continues -->", "```ts", "a;", "```"),
  );
  expect(modules).toEqual([text("", "const a = 1;", "", "", "", "a;")]);
});

it("leaves a block out when a reason is given", () => {
  expect(exampleModules(text("<!-- example skipped: it needs a server -->", "```ts", "nonsense", "```"))).toEqual([]);
});

it("forgets a comment once prose follows it", () => {
  const modules = exampleModules(text("<!-- example skipped: why -->", "Prose.", "```ts", "a;", "```"));
  expect(modules).toHaveLength(1);
});

it("refuses a comment that it does not understand, such as one without a reason", () => {
  expect(() => exampleModules("<!-- example skipped -->")).toThrow("Line 1");
});
