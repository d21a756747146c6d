import { conformance } from "@pq/core/testing";
import { available } from "@pq/services";
import { describe, it } from "vitest";
import { borrowedConnection, redisHarness } from "./harness.ts";

const there = await available("redis", "program");
const suite = there.available ? describe : describe.skip;

// With its defaults ioredis sends commands again by itself when their connection was lost: the store must not do them twice.
conformance(redisHarness({ name: "a borrowed client", connect: borrowedConnection }), {
  describe: suite.concurrent,
  it,
});
