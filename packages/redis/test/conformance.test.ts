import { conformance } from "@pq/core/testing";
import { available } from "@pq/services";
import { describe, it } from "vitest";
import { redisHarness } from "./harness.ts";

const there = await available("redis", "program");
const suite = there.available ? describe : describe.skip;

conformance(redisHarness({ name: "redis" }), { describe: suite.concurrent, it });
