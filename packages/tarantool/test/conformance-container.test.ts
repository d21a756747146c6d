import { available, startTarantool, stopEngine } from "@pq/services";
import { afterAll } from "vitest";
import { conformanceOnShared } from "./shared-harness.ts";

const there = await available("tarantool", "container");

// Hooks run last to first: the container ends before the engine.
afterAll(stopEngine);

conformanceOnShared("a container", there, () => startTarantool({ using: "container" }));
