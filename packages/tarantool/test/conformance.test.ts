import { conformance } from "@pq/core/testing";
import { available } from "@pq/services";
import { describe, it } from "vitest";
import { tarantoolHarness } from "./harness.ts";

const there = await available("tarantool", "program");
const suite = there.available ? describe : describe.skip;

conformance(tarantoolHarness({ name: "tarantool" }), { describe: suite.concurrent, it });
