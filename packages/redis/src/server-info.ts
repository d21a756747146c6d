/** What one server says about itself: INFO, and CONFIG where it is allowed. */
import { PqError } from "@pq/core/backend";
import { type ServerError, wordOf } from "./errors.ts";
import type { Lane } from "./lane.ts";

/** The settings that decide what a server keeps. `undefined`: it does not say. */
export interface ServerInfo {
  /** Such as `Redis 7.0.15` or `Valkey 8.0.1`. */
  readonly store: string;
  /** The version of Redis whose commands it has; `[0, 0]` when it does not say. */
  readonly version: readonly [number, number];
  readonly replica: boolean;
  /** It is a node of a cluster. */
  readonly clustered: boolean;
  readonly aof: boolean | undefined;
  readonly aofFailing: boolean;
  readonly appendfsync: string | undefined;
  readonly noFsyncOnRewrite: boolean | undefined;
  readonly maxmemory: number;
  readonly evictionPolicy: string | undefined;
  /** Replicas that are in step with it. */
  readonly replicas: number;
}

/** Ask a server. Rejects when it cannot be asked at all; what it may not tell is `undefined`. */
export async function readServer(lane: Lane): Promise<ServerInfo> {
  const [info, fsync, rewrite] = await Promise.all([
    allowed(lane.command("info", [])),
    allowed(lane.command("config", ["get", "appendfsync"])),
    allowed(lane.command("config", ["get", "no-appendfsync-on-rewrite"])),
  ]);
  const fields = fieldsOf(Buffer.isBuffer(info) ? info.toString() : "");
  const onRewrite = valueOf(rewrite);
  return {
    ...versionOf(fields),
    replica: fields.get("role") === "slave",
    clustered: fields.get("redis_mode") === "cluster",
    aof: flag(fields.get("aof_enabled")),
    aofFailing: fields.get("aof_last_write_status") === "err",
    appendfsync: valueOf(fsync),
    noFsyncOnRewrite: onRewrite === undefined ? undefined : onRewrite === "yes",
    maxmemory: Number(fields.get("maxmemory") ?? 0),
    evictionPolicy: fields.get("maxmemory_policy"),
    replicas: [...fields].filter(([name, value]) => /^slave\d+$/.test(name) && /state=online/.test(value)).length,
  };
}

/** The reply; nothing when the server has no such command, or not for this user. */
async function allowed(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (wordOf(error) === "NOPERM" || isUnknownCommand(error)) return undefined;
    throw error;
  }
}

function isUnknownCommand(error: unknown): boolean {
  const cause = error instanceof PqError ? (error.cause as ServerError | undefined) : undefined;
  return wordOf(error) === "ERR" && /unknown (sub)?command|disabled|not allowed/i.test(cause?.message ?? "");
}

function fieldsOf(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

function versionOf(fields: ReadonlyMap<string, string>): Pick<ServerInfo, "store" | "version"> {
  const redis = fields.get("redis_version");
  const valkey = fields.get("valkey_version");
  const [major = 0, minor = 0] = (redis ?? "").split(".").map(Number);
  const store = valkey === undefined ? `Redis ${redis ?? "of unknown version"}` : `Valkey ${valkey}`;
  return { store, version: [major, minor] };
}

function flag(value: string | undefined): boolean | undefined {
  return value === undefined ? undefined : value === "1";
}

/** The value in the answer to CONFIG GET of one name. */
function valueOf(reply: unknown): string | undefined {
  return Array.isArray(reply) && reply.length === 2 ? String(reply[1]) : undefined;
}
