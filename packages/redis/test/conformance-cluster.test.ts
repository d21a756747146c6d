import { available, startRedisCluster } from "@pq/services";
import { conformanceOnShared } from "./shared-harness.ts";

const there = await available("redis", "program");

conformanceOnShared("a cluster", there, async () => {
  // Nobody takes over for a node that is restarted.
  const cluster = await startRedisCluster({ nodeTimeout: 5000 });
  return {
    servers: cluster.masters,
    connect: (proxies) => {
      const nodes = proxies.map(({ host, port }) => ({ host, port }));
      const natMap = Object.fromEntries(cluster.masters.map(({ host, port }, at) => [`${host}:${port}`, nodes[at]!]));
      return { cluster: { nodes, options: { natMap } } };
    },
    ready: () => cluster.ready(),
    close: () => cluster.close(),
  };
});
