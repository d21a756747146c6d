/** What the server's settings promise. */
import { type Durability, type Guarantees, PqError } from "@pq/core/backend";
import type { Received } from "./iproto/value.ts";

/** What `lua/server.lua` tells. */
interface ServerSettings {
  readonly engine: string;
  readonly version: string;
  readonly walMode: string;
  readonly netMsgMax: number;
  readonly forceRecovery: boolean;
  readonly members: number;
  readonly isSync: boolean;
  /** A number, or a formula of newer servers. */
  readonly quorum: string;
}

/** Fewer requests under way than this, and some hundred consumers that wait leave no room for work. */
const FEW_MESSAGES = 256;

const LEVELS: Readonly<Record<string, Durability>> = { none: "memory", write: "process", fsync: "disk" };

/** Read them from its answer. Throws `UNSUPPORTED` when somebody has made the spaces in another engine. */
export function readGuarantees(answer: Received | undefined, wanted: "server" | "majority"): Guarantees {
  const settings = readSettings(answer as ReadonlyMap<string, Received>);
  if (settings.engine !== "memtx") throw otherEngine(settings.engine);
  const level = LEVELS[settings.walMode] ?? "memory";
  const isMajority = settings.isSync && level !== "memory" && hasMajority(settings);
  return {
    durability: isMajority ? "majority" : level,
    store: `Tarantool ${settings.version}`,
    warnings: [...weaknesses(settings, level), ...(wanted === "majority" && !isMajority ? [lacking(settings)] : [])],
  };
}

function weaknesses({ walMode, netMsgMax, forceRecovery }: ServerSettings, level: Durability): string[] {
  const found: string[] = [];
  if (level === "memory") found.push(`wal_mode is ${walMode}: a restart loses all jobs; set wal_mode = 'fsync'`);
  if (level === "process") {
    found.push(`wal_mode is ${walMode}: a power cut may lose accepted jobs; set wal_mode = 'fsync'`);
  }
  if (forceRecovery) {
    found.push("force_recovery is on: damaged logs are skipped silently at a restart; set it to false");
  }
  if (netMsgMax < FEW_MESSAGES) {
    found.push(`net_msg_max is ${netMsgMax}: consumers that wait may keep others from work; set it to 768 or more`);
  }
  return found;
}

function lacking({ members, isSync, quorum }: ServerSettings): string {
  if (!isSync) return "the spaces are not synchronous: let somebody with the right to alter them open the queue";
  return `replication_synchro_quorum is ${quorum} of ${members} instances: it must be more than half of them`;
}

function hasMajority({ members, quorum }: ServerSettings): boolean {
  // The usual formula of newer servers.
  const needed = /^\s*N\s*\/\s*2\s*\+\s*1\s*$/.test(quorum) ? Math.floor(members / 2) + 1 : Number(quorum);
  return members > 1 && needed > members / 2;
}

function readSettings(answer: ReadonlyMap<string, Received>): ServerSettings {
  const text = (name: string): string => {
    const value = answer.get(name);
    return Buffer.isBuffer(value) ? value.toString() : JSON.stringify(value ?? null);
  };
  return {
    engine: text("engine"),
    version: text("version").replace(/-.*$/, ""),
    walMode: text("wal_mode"),
    netMsgMax: Number(text("net_msg_max")),
    forceRecovery: answer.get("force_recovery") === true,
    members: Number(text("members")),
    isSync: answer.get("is_sync") === true,
    quorum: text("quorum"),
  };
}

function otherEngine(engine: string): PqError {
  const why = "a transaction there may yield, so what is one step here would not be";
  return new PqError(
    "UNSUPPORTED",
    `the spaces are of the engine ${engine}: ${why}; make them in memtx, or use another prefix`,
  );
}
