/** What the ensemble promises, as far as a client can read it. */
import type { Guarantees } from "@pq/core/backend";
import type { ZkClient } from "./zk-client.ts";

/**
 * Read from the ensemble's own list of its servers. ZooKeeper syncs a change to the disks of a majority before it answers; the one setting that
 * ends that, `forceSync=no`, no client can read, and the manual calls it unsafe.
 */
export async function guaranteesOf(zk: ZkClient): Promise<Guarantees> {
  const voters = votersIn(await zk.ensemble().catch(() => ""));
  const warnings =
    voters === 2 ? ["an ensemble of 2 servers stands still when one of them is lost: use 3 or more"] : [];
  return {
    durability: voters > 2 ? "majority" : "disk",
    store: voters > 1 ? `ZooKeeper, an ensemble of ${voters}` : "ZooKeeper, one server",
    warnings,
  };
}

/** Servers that vote: lines such as `server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181`. */
function votersIn(config: string): number {
  return config.split("\n").filter((line) => /^server\.\d+=/.test(line) && !/:observer\b/.test(line)).length;
}
