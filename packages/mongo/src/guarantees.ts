/**
 * What the deployment promises with the settings it really has. Each write asks for `{ w: "majority", j: true }` by itself, so a default
 * concern of the client or the cluster decides nothing; what a majority is, and what a journal is worth, does.
 *
 * | deployment | an accepted job survives |
 * |---|---|
 * | one server that does not say that its storage engine writes to a disk (`serverStatus`), as mongo-java-server does not | `memory`: nothing |
 * | one server with such an engine, alone or as the only voting member with data of a replica set | `disk`: the machine |
 * | a replica set with several such members; a cluster of them | `majority`: the loss of a minority of the machines (without a disk: with a warning) |
 *
 * What this user may not ask counts as the weaker.
 */
import { type Durability, type Guarantees, PqError } from "@pq/core/backend";
import type { Connection } from "./connection.ts";
import { readServer, type ServerInfo } from "./server-info.ts";

/**
 * Ask the deployment, and judge it. What weakens the promises is a warning. Rejects with `UNSUPPORTED` for servers before 4.4 and with
 * `UNAVAILABLE` for one that takes no writes.
 */
export async function readGuarantees(
  connection: Connection,
): Promise<{ readonly guarantees: Guarantees; readonly server: ServerInfo }> {
  const server = await readServer(connection);
  return { server, guarantees: judge(server, connection.address) };
}

/** What such a deployment promises. Throws as `readGuarantees`. */
export function judge(server: ServerInfo, address: string): Guarantees {
  checkUsable(server, address);
  const durability = durabilityOf(server);
  return { durability, store: server.store, warnings: warningsFor(server, durability) };
}

function checkUsable({ version: [major, minor], store, writable }: ServerInfo, address: string): void {
  if (major > 0 && (major < 4 || (major === 4 && minor < 4))) {
    throw new PqError("UNSUPPORTED", `${address} is ${store}: at least MongoDB 4.4 is needed`);
  }
  if (writable) return;
  throw new PqError(
    "UNAVAILABLE",
    `${address} is not the primary: connect to the replica set, without directConnection`,
  );
}

function durabilityOf({ members, persistent }: ServerInfo): Durability {
  if (members !== undefined && members > 1) return "majority";
  return persistent === true ? "disk" : "memory";
}

function warningsFor(server: ServerInfo, durability: Durability): string[] {
  return [
    engineWarning(server),
    membersWarning(server),
    arbiterWarning(server),
    journalWarning(server, durability),
  ].filter((text) => text !== undefined);
}

function engineWarning({ kind, persistent }: ServerInfo): string | undefined {
  if (kind === "sharded cluster" || persistent === true) return undefined;
  if (persistent === false) {
    return "The storage engine keeps nothing on disk, so a power failure loses jobs: use wiredTiger.";
  }
  return "serverStatus does not say that the storage engine writes to a disk: give the user the role clusterMonitor, or use a MongoDB with wiredTiger.";
}

function membersWarning({ kind, members }: ServerInfo): string | undefined {
  if (members === undefined) {
    const command = kind === "sharded cluster" ? "listShards" : "replSetGetConfig";
    return `${command} is not allowed, so it is not known how many machines a majority is: give the user the role clusterMonitor.`;
  }
  if (kind === "standalone" || members > 1) return undefined;
  return `A ${kind === "replica set" ? kind : "shard"} has only one voting member with data, which is its own majority: add members.`;
}

function arbiterWarning({ arbiters }: ServerInfo): string | undefined {
  if (arbiters === 0) return undefined;
  return "There is an arbiter, which holds no data, so one member less may leave no majority to accept jobs: use a member with data instead.";
}

function journalWarning({ majorityJournals }: ServerInfo, durability: Durability): string | undefined {
  if (durability !== "majority" || majorityJournals !== false) return undefined;
  return "writeConcernMajorityJournalDefault is false, so a majority may lose what it accepted when its machines lose power: set it to true.";
}
