import { available, startRedis, stopEngine } from "@pq/services";
import { afterAll } from "vitest";
import { conformanceOnShared } from "./shared-harness.ts";

const there = await available("redis", "container");

// Hooks run last to first: the container ends before the engine.
afterAll(stopEngine);

conformanceOnShared("a container", there, async () => {
  const server = await startRedis({ using: "container" });
  return {
    servers: [server],
    connect: ([proxy]) => ({ options: { host: proxy?.host ?? "", port: proxy?.port ?? 0 } }),
    close: () => server.close(),
  };
});
