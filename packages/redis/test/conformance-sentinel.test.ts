import { available, startSentinels } from "@pq/services";
import { conformanceOnShared } from "./shared-harness.ts";

const there = await available("redis", "program");

conformanceOnShared("sentinels", there, async () => {
  // A master that is restarted or stopped for a moment stays the master; `sentinels.test.ts` is about failovers.
  const watched = await startSentinels({ replicas: 1, downAfter: 60_000 });
  return {
    servers: [watched.master],
    connect: ([proxy]) => {
      const { host, port } = watched.master;
      const natMap = { [`${host}:${port}`]: { host: proxy?.host ?? "", port: proxy?.port ?? 0 } };
      return { options: { sentinels: [...watched.sentinels], name: watched.name, natMap } };
    },
    close: () => watched.close(),
  };
});
