/** What a deployment says about itself. */
import type { Document } from "mongodb";
import { PqError } from "@pq/core/backend";
import type { Connection } from "./connection.ts";
import { codeOf } from "./errors.ts";

/** What decides about what is kept, and what can be done. `undefined`: it does not say, or not to this user. */
export interface ServerInfo {
  /** Such as `MongoDB 7.0.12`. */
  readonly store: string;
  /** `[0, 0]` when it does not say. */
  readonly version: readonly [number, number];
  readonly kind: "standalone" | "replica set" | "sharded cluster";
  /** Does it take writes? */
  readonly writable: boolean;
  /** Does its storage engine write to a disk? A cluster's router does not say. */
  readonly persistent: boolean | undefined;
  /** Members that hold data and vote; in a cluster, those of the shard with the fewest. */
  readonly members: number | undefined;
  /** Members that vote without data. */
  readonly arbiters: number;
  /** The replica set's setting `writeConcernMajorityJournalDefault`. */
  readonly majorityJournals: boolean | undefined;
  /** Are there transactions over several documents? */
  readonly transactions: boolean;
  /** Can changes be watched? */
  readonly changeStreams: boolean;
  /** Its clock, ms since 1970. */
  readonly now: number;
}

/** Codes for a command that there is not, or not for this user: Unauthorized, CommandNotFound, APIStrictError, and what a hosted service forbids. */
const NOT_TOLD: ReadonlySet<number> = new Set([13, 59, 323, 8000]);

/** Ask it. Rejects when it cannot be asked at all. */
export async function readServer(connection: Connection): Promise<ServerInfo> {
  const [hello, build] = await Promise.all([greeting(connection), told(connection, "buildInfo")]);
  const kind = kindOf(hello);
  const facts = await factsOf(connection, kind);
  const arbiters: unknown = hello["arbiters"];
  const time: unknown = hello["localTime"];
  return {
    ...versionOf(build),
    kind,
    writable: (hello["isWritablePrimary"] ?? hello["ismaster"]) === true,
    arbiters: Array.isArray(arbiters) ? arbiters.length : 0,
    ...facts,
    transactions: kind !== "standalone",
    changeStreams: kind !== "standalone",
    now: time instanceof Date ? time.getTime() : 0,
  };
}

/** `hello` came with 5.0 (and late versions of 4.4); before it was `isMaster`. */
async function greeting(connection: Connection): Promise<Document> {
  return (await told(connection, "hello")) ?? (await connection.ask({ isMaster: 1 }));
}

function kindOf(hello: Document): ServerInfo["kind"] {
  if (hello["msg"] === "isdbgrid") return "sharded cluster";
  return typeof hello["setName"] === "string" ? "replica set" : "standalone";
}

function versionOf(build: Document | undefined): Pick<ServerInfo, "store" | "version"> {
  const text: unknown = build?.["version"];
  if (typeof text !== "string") return { store: "MongoDB of unknown version", version: [0, 0] };
  const [major = 0, minor = 0] = text.split(".").map(Number);
  return { store: `MongoDB ${text}`, version: [major, minor] };
}

type Facts = Pick<ServerInfo, "persistent" | "members" | "majorityJournals">;

async function factsOf(connection: Connection, kind: ServerInfo["kind"]): Promise<Facts> {
  switch (kind) {
    case "standalone":
      return { persistent: await engineOf(connection), members: 1, majorityJournals: undefined };
    case "replica set": {
      const [persistent, set] = await Promise.all([engineOf(connection), told(connection, "replSetGetConfig")]);
      return { persistent, ...configOf(set) };
    }
    case "sharded cluster": {
      const shards = await told(connection, "listShards");
      return { persistent: undefined, members: fewestOf(shards), majorityJournals: undefined };
    }
  }
}

async function engineOf(connection: Connection): Promise<boolean | undefined> {
  const engine: unknown = (await told(connection, "serverStatus"))?.["storageEngine"];
  if (typeof engine !== "object" || engine === null || !("persistent" in engine)) return undefined;
  return engine.persistent === true;
}

function configOf(answer: Document | undefined): Pick<Facts, "members" | "majorityJournals"> {
  const config = answer?.["config"] as Document | undefined;
  if (config === undefined) return { members: undefined, majorityJournals: undefined };
  const voters = (config["members"] as Document[]).filter(
    (member) => member["arbiterOnly"] !== true && member["votes"] !== 0,
  );
  return { members: voters.length, majorityJournals: config["writeConcernMajorityJournalDefault"] !== false };
}

/** Of the shards, each with a `host` such as `rs0/a:1,b:1`. */
function fewestOf(answer: Document | undefined): number | undefined {
  const shards = (answer?.["shards"] ?? []) as Document[];
  if (shards.length === 0) return undefined;
  return Math.min(...shards.map((shard) => String(shard["host"]).split(",").length));
}

/** The answer to a command without parameters; nothing when there is no such command, or not for this user. */
async function told(connection: Connection, command: string): Promise<Document | undefined> {
  try {
    return await connection.ask({ [command]: 1 });
  } catch (error) {
    if (error instanceof PqError && NOT_TOLD.has(codeOf(error) ?? 0)) return undefined;
    throw error;
  }
}
