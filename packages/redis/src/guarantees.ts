/**
 * What the servers promise with the settings they really have.
 *
 * | settings | an accepted job survives |
 * |---|---|
 * | no append-only file, or keys may be evicted | `memory`: nothing |
 * | `appendfsync everysec` or `no`; `always`, but not while the file is rewritten | `process`: the server's process |
 * | `appendfsync always` | `disk`: the machine |
 * | the option `durability: "disk"` with WAITAOF | `disk` |
 * | the option `durability: "majority"` with replicas | `majority`: the loss of a minority of the machines |
 *
 * Of a cluster the weakest node counts.
 */
import { type Durability, type Guarantees, PqError } from "@pq/core/backend";
import { byReplicas, type Confirmation, onDisk } from "./confirmation.ts";
import type { Connection } from "./connection.ts";
import type { ResolvedOptions } from "./options.ts";
import type { ServerInfo } from "./server-info.ts";

const LEVELS: readonly Durability[] = ["memory", "process", "disk", "majority"];

/** What is promised, and what each change must wait for so that it is true. */
export interface Verdict extends Guarantees {
  readonly confirmation: Confirmation | undefined;
}

/**
 * Ask the servers for their settings, and make the connection wait for what the option `durability` asks, as far as they can give it.
 * What they cannot give is a warning. Rejects with `UNSUPPORTED` for servers before 6.2 and with `UNAVAILABLE` for replicas.
 */
export async function readGuarantees(connection: Connection, options: ResolvedOptions): Promise<Guarantees> {
  const servers = await connection.servers();
  checkKind(servers, options);
  const { confirmation, ...guarantees } = judge(servers, options);
  connection.confirmBy(confirmation);
  return guarantees;
}

/** To one node of a cluster our calls would name only one of their keys, and it could not tell that it lacks the others. */
function checkKind(servers: readonly ServerInfo[], { address, target }: ResolvedOptions): void {
  const single = target.kind === "single" || target.kind === "borrowed";
  if (!single || !servers.some(({ clustered }) => clustered)) return;
  throw new PqError(
    "UNSUPPORTED",
    `${address} is a node of a cluster: give the option cluster, or a Cluster as client`,
  );
}

/** What these servers, one or the nodes of a cluster, promise. Throws as `readGuarantees`. */
export function judge(
  servers: readonly ServerInfo[],
  { address, durability }: Pick<ResolvedOptions, "address" | "durability">,
): Verdict {
  for (const server of servers) checkUsable(server, address);
  const own = servers.map(ownLevel);
  const level = weakest(own.map(({ level }) => level));
  const { reached, confirmation, warnings } = askedFor(durability, servers, level);
  // What is waited for makes up for how the file is synced, but not for a lost key.
  const made = level === "memory" && !servers.every(keepsKeys) ? level : (reached ?? level);
  const still = own.flatMap(({ warnings }) => warnings).filter(({ cure }) => made === level || cure !== "waiting");
  return {
    durability: made,
    store: [...new Set(servers.map(({ store }) => store))].join(", "),
    warnings: [...new Set([...still.map(({ text }) => text), ...warnings])],
    confirmation,
  };
}

function checkUsable({ version: [major, minor], store, replica }: ServerInfo, address: string): void {
  if (major > 0 && (major < 6 || (major === 6 && minor < 2))) {
    throw new PqError("UNSUPPORTED", `${address} is ${store}: at least Redis 6.2 is needed`);
  }
  if (!replica) return;
  throw new PqError("UNAVAILABLE", `${address} is a replica: connect to its master, or give options.sentinels`);
}

/** Something that weakens; `waiting` makes up for some. */
interface Weakness {
  readonly text: string;
  readonly cure: "setting" | "waiting";
}

/** What one server gives by itself. */
function ownLevel(server: ServerInfo): { readonly level: Durability; readonly warnings: readonly Weakness[] } {
  const found = [evictionOf(server), fileOf(server), failureOf(server)].filter((each) => each !== undefined);
  return {
    level: weakest(["disk", ...found.map(({ level }) => level)]),
    warnings: found.map(({ text, cure }) => ({ text, cure })),
  };
}

type Finding = (Weakness & { readonly level: Durability }) | undefined;

function evictionOf({ maxmemory, evictionPolicy }: ServerInfo): Finding {
  if (evictionPolicy === undefined || evictionPolicy === "noeviction" || maxmemory === 0) return undefined;
  // Keys of jobs have no TTL, so only these policies remove them.
  const level = evictionPolicy.startsWith("allkeys") ? "memory" : "disk";
  const text = `maxmemory-policy is ${evictionPolicy}, so a full server may remove data: set it to noeviction.`;
  return { level, text, cure: "setting" };
}

function fileOf({ aof, appendfsync, noFsyncOnRewrite }: ServerInfo): Finding {
  if (aof === undefined) {
    const text = "INFO is not allowed, so nothing is known about persistence: allow it to this user.";
    return { level: "memory", text, cure: "setting" };
  }
  if (!aof) {
    const text = "appendonly is off, so a restart loses jobs: set appendonly yes and appendfsync always.";
    return { level: "memory", text, cure: "setting" };
  }
  if (appendfsync === undefined) {
    const text =
      "CONFIG is not allowed, so appendfsync is taken for everysec: allow config|get, or set durability to disk.";
    return { level: "process", text, cure: "waiting" };
  }
  if (appendfsync !== "always") {
    const text = `appendfsync is ${appendfsync}, so a power failure loses the last jobs: set it to always, or durability to disk.`;
    return { level: "process", text, cure: "waiting" };
  }
  if (noFsyncOnRewrite === false) return undefined;
  const text = "no-appendfsync-on-rewrite is not off, so a power failure during a rewrite loses jobs: set it to no.";
  return { level: "process", text, cure: "waiting" };
}

function failureOf({ aofFailing }: ServerInfo): Finding {
  if (!aofFailing) return undefined;
  const text = "aof_last_write_status is err, so the append-only file is not written: look at the server's disk.";
  return { level: "memory", text, cure: "setting" };
}

function keepsKeys(server: ServerInfo): boolean {
  return evictionOf(server)?.level !== "memory";
}

interface Asked {
  /** What waiting reaches; nothing when it does not help. */
  readonly reached?: Durability;
  readonly confirmation?: Confirmation;
  readonly warnings: readonly string[];
}

function askedFor(durability: ResolvedOptions["durability"], servers: readonly ServerInfo[], level: Durability): Asked {
  if (durability === "server") return { warnings: [] };
  const obstacle = servers.map(obstacleToDisk).find((each) => each !== undefined);
  if (durability === "disk") {
    if (level === "disk") return { warnings: [] };
    if (obstacle === undefined) return { reached: "disk", confirmation: onDisk(0), warnings: [] };
    return { warnings: [`durability is disk, but it cannot be waited for: ${obstacle}.`] };
  }
  // A node without replicas is the whole of its data.
  if (servers.some(({ replicas }) => replicas === 0)) {
    return { warnings: ["durability is majority, but a master has no replica in step with it: add replicas."] };
  }
  const needed = Math.max(...servers.map(({ replicas }) => Math.floor((replicas + 1) / 2)));
  if (obstacle === undefined) return { reached: "majority", confirmation: onDisk(needed), warnings: [] };
  const text = `A majority has each change in memory, but not on disk, since that cannot be waited for: ${obstacle}.`;
  return { reached: "majority", confirmation: byReplicas(needed), warnings: [text] };
}

/** Why WAITAOF does not help here. */
function obstacleToDisk({ version: [major, minor], aof, aofFailing, appendfsync }: ServerInfo): string | undefined {
  if (major < 7 || (major === 7 && minor < 2)) return "WAITAOF needs Redis 7.2 or Valkey";
  if (aof !== true) return "appendonly is off";
  if (aofFailing) return "the append-only file is not written";
  return appendfsync === "no" ? "appendfsync is no" : undefined;
}

function weakest(levels: readonly Durability[]): Durability {
  return LEVELS[Math.min(...levels.map((level) => LEVELS.indexOf(level)))] ?? "memory";
}
