import assert from "node:assert/strict";
import { it } from "vitest";
import * as core from "@pq/core";
import * as own from "../src/index.ts";

it("re-exports the whole user API of @pq/core, so that users install one package", () => {
  const missing = Object.entries(core).filter(([name, value]) => Reflect.get(own, name) !== value);
  assert.deepEqual(missing, []);
});
