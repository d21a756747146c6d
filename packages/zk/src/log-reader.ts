/** Reads entries of a log. */
import { crc32c } from "@pq/core/state";
import { decodeHead } from "./command-codec.ts";
import type { EntryHead } from "./commands.ts";
import { open, PART, type SealedEntry } from "./entry.ts";
import type { Page } from "./pages.ts";
import type { QueuePaths } from "./paths.ts";
import type { Stat, ZkClient } from "./zk-client.ts";

/** An entry that was read. */
export interface ReadEntry {
  /** When it was created, by the leader's clock. */
  readonly time: number;
  /** `null`: it is damaged, and changes nothing. */
  readonly head: EntryHead | null;
  readonly page: Pick<Page, "headLength" | "bodyLength" | "guid">;
  /** The content, when it is in the node. */
  readonly content: Buffer | null;
}

const NO_BYTES = Buffer.alloc(0);
const NO_PAGE = { headLength: 0, bodyLength: 0, guid: null };

/** An entry of this process: its node, and its head, which may be in parts. */
export interface OwnEntry {
  readonly node: Buffer;
  readonly head: Buffer;
  /** What is known of the node, if that was asked for already. */
  readonly stat: Promise<Stat | null> | null;
}

/** The entry at a position that this process has written: only its time is asked for. `null` when it is not there any more. */
export async function timeOwnEntry(zk: ZkClient, path: string, entry: OwnEntry): Promise<ReadEntry | null> {
  const { node, head } = entry;
  const stat = (await entry.stat) ?? (await zk.exists(path));
  const sealed = open(node);
  if (stat === null || sealed === null) return null;
  const { headLength, bodyLength, content } = sealed;
  const inline = "inline" in content ? content.inline : null;
  const guid = "inline" in content ? null : content.guid;
  return { time: stat.ctime, head: headOf(head), page: { headLength, bodyLength, guid }, content: inline };
}

/** The entry at a position; `null` when there is none. Throws `INCOMPATIBLE_VERSION`. */
export async function readEntry(zk: ZkClient, paths: QueuePaths, position: number): Promise<ReadEntry | null> {
  const node = await zk.get(paths.entry(position));
  if (node === null) return null;
  const time = node.stat.ctime;
  const sealed = open(node.data);
  if (sealed === null) return { time, head: null, page: NO_PAGE, content: null };
  const { headLength, bodyLength, content } = sealed;
  if ("inline" in content) {
    const page = { headLength, bodyLength, guid: null };
    return { time, head: headOf(content.inline.subarray(0, headLength)), page, content: content.inline };
  }
  const page = { headLength, bodyLength, guid: content.guid };
  const head = await headInParts(zk, paths, sealed);
  // Who tidies up deletes an entry before its parts.
  if (head === null && (await zk.exists(paths.entry(position))) === null) return null;
  return { time, head, page, content: null };
}

/** `null`: it is damaged, or not there. */
async function headInParts(
  zk: ZkClient,
  paths: QueuePaths,
  { headLength, content }: SealedEntry,
): Promise<EntryHead | null> {
  if ("inline" in content) return null;
  const count = Math.ceil(headLength / PART);
  const parts = await Promise.all(
    Array.from({ length: count }, (_, number) => zk.get(paths.part(content.guid, number))),
  );
  const head = Buffer.concat(parts.map((part) => part?.data ?? NO_BYTES)).subarray(0, headLength);
  return head.length === headLength && crc32c(head) === content.headCrc ? headOf(head) : null;
}

function headOf(bytes: Buffer): EntryHead | null {
  try {
    return decodeHead(bytes);
  } catch {
    return null;
  }
}
