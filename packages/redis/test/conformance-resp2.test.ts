import { conformance } from "@pq/core/testing";
import { available } from "@pq/services";
import { describe, it } from "vitest";
import { redisHarness } from "./harness.ts";

const there = await available("redis", "program");
const suite = there.available ? describe : describe.skip;

const harness = redisHarness({
  name: "RESP2",
  connect: ({ host, port }) => ({ options: { host, port, protocol: 2 } }),
});
conformance(harness, { describe: suite.concurrent, it });
