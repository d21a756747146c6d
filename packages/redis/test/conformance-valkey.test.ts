import { conformance } from "@pq/core/testing";
import { available } from "@pq/services";
import { describe, it } from "vitest";
import { redisHarness } from "./harness.ts";

const there = await available("valkey", "program");
const suite = there.available ? describe : describe.skip;

conformance(redisHarness({ name: "valkey", flavour: "valkey" }), { describe: suite.concurrent, it });
