/**
 * Where a queue's snapshot is: its chunks are nodes of a name of their own, and count once the pointer names them. So a snapshot that
 * was only half written counts for nothing, and one that is read stays whole, or another one has taken its place.
 *
 * **What may be deleted.** Who publishes reads the pointer, writes chunks, lists all chunks, and sets the pointer if it has still the version
 * that was read. If that succeeds, every other chunk of the list is dead: who wrote it had read the pointer before that, and cannot set it any more.
 */
import { newRequestId, PqError, type RequestId } from "@pq/core/backend";
import { crc32c } from "@pq/core/state";
import { guidOf, type QueuePaths } from "./paths.ts";
import type { Replica } from "./replica.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot-codec.ts";
import { PERSISTENT, type ZkClient } from "./zk-client.ts";
import { isZkError, ZK_CODES } from "./zk-error.ts";

/** The format of pointers. */
const FORMAT = 1;
/** Chunks read at a time, and written. */
const READS = 8;
const WRITES = 4;
/** Deletes under way at a time. */
const DELETES = 64;

interface Pointer {
  readonly guid: RequestId;
  readonly chunks: number;
  /** The first entry that is not in the snapshot. */
  readonly position: number;
}

/** A snapshot that was published. */
export interface Published {
  readonly position: number;
  /** The names of chunks that count for nothing any more. */
  readonly dead: readonly string[];
}

/** The queue as its snapshot has it; `null` when there is none. Rejects with `CORRUPT` and `INCOMPATIBLE_VERSION`. */
export async function loadSnapshot(zk: ZkClient, paths: QueuePaths, name: string): Promise<Replica | null> {
  for (let found = await readPointer(zk, paths); found !== null;) {
    const { pointer } = found;
    const chunks = await readChunks(zk, paths, pointer);
    if (chunks.every((chunk) => chunk !== null)) {
      const replica = decodeSnapshot(name, chunks);
      if (replica.position === pointer.position) return replica;
      throw corrupt(paths, `its chunks end at entry ${replica.position} instead of ${pointer.position}`);
    }
    found = await readPointer(zk, paths);
    if (found?.pointer.guid === pointer.guid) {
      throw corrupt(paths, `chunk ${chunks.indexOf(null)} of ${pointer.chunks} is not there`);
    }
  }
  return null;
}

/** The first entry that is not in the snapshot; 0 when there is none. Rejects with `CORRUPT` and `INCOMPATIBLE_VERSION`. */
export async function snapshotPosition(zk: ZkClient, paths: QueuePaths): Promise<number> {
  return (await readPointer(zk, paths))?.pointer.position ?? 0;
}

/**
 * Make a snapshot of the replica as it is at the moment of the call, and let it count. `null`: another one counts that is as new, or came meanwhile.
 * When it rejects, it is not known whether it counts. With `restricted`, its nodes are for those alone who are logged in.
 */
export async function publishSnapshot(
  zk: ZkClient,
  paths: QueuePaths,
  replica: Replica,
  restricted: boolean,
): Promise<Published | null> {
  const { position } = replica;
  const chunks = encodeSnapshot(replica);
  const before = await readPointer(zk, paths);
  if (before !== null && before.pointer.position >= position) return null;
  const guid = newRequestId();
  const make = async (path: string, data: Buffer): Promise<void> => {
    await zk.create(path, data, PERSISTENT);
    if (restricted) await zk.setAccess(path);
  };
  await eachOf(chunks.entries(), WRITES, ([index, chunk]) => make(paths.chunk(guid, index), chunk));
  const names = (await zk.children(paths.snapshots)) ?? [];
  const pointer = encodePointer({ guid, chunks: chunks.length, position });
  try {
    if (before === null) await make(paths.snapshot, pointer);
    else await zk.set(paths.snapshot, pointer, before.version);
  } catch (error) {
    const { badVersion, nodeExists, noNode } = ZK_CODES;
    if (![badVersion, nodeExists, noNode].some((code) => isZkError(error, code))) throw error;
    await deleteAll(zk, chunks.map((_, index) => paths.chunk(guid, index))); // prettier-ignore
    return null;
  }
  return { position, dead: names.filter((name) => guidOf(name) !== guid) };
}

/** Delete these nodes, as far as they are there. Returns how many were. `isOver`: stop, rejecting. */
export async function deleteAll(
  zk: ZkClient,
  nodes: readonly string[],
  isOver: () => boolean = () => false,
): Promise<number> {
  let count = 0;
  await eachOf(nodes, DELETES, async (path) => {
    if (isOver()) throw new PqError("CLOSED", "stopped while nodes were deleted");
    if (await zk.delete(path)) count++;
  });
  return count;
}

/** Do this for each of the items, so many at a time. When one rejects no other is begun, and once those under way have ended it rejects. */
export async function eachOf<T>(items: Iterable<T>, limit: number, act: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | null = null;
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true && failure === null; next = iterator.next()) {
      try {
        await act(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  const failed = failure as { readonly error: unknown } | null;
  if (failed !== null) throw failed.error;
}

async function readChunks(zk: ZkClient, paths: QueuePaths, { guid, chunks }: Pointer): Promise<(Buffer | null)[]> {
  const read = Array.from({ length: chunks }, (): Buffer | null => null);
  let missing = false;
  await eachOf(read.keys(), READS, async (index) => {
    if (missing) return;
    const node = await zk.get(paths.chunk(guid, index));
    if (node === null) missing = true;
    else read[index] = node.data;
  });
  return read;
}

async function readPointer(
  zk: ZkClient,
  paths: QueuePaths,
): Promise<{ readonly pointer: Pointer; readonly version: number } | null> {
  const node = await zk.get(paths.snapshot);
  if (node === null) return null;
  const text = node.data.toString("utf8");
  const { format, guid, chunks, position, crc } = fieldsOf(text);
  if (typeof format === "number" && format > FORMAT) {
    throw new PqError(
      "INCOMPATIBLE_VERSION",
      `${paths.snapshot} is of format ${format}, and this version of @pq/zk knows ${FORMAT}: upgrade it`,
    );
  }
  if (typeof guid !== "string" || typeof chunks !== "number" || typeof position !== "number") {
    throw corrupt(paths, "it is no pointer");
  }
  const pointer: Pointer = { guid: guid as RequestId, chunks, position };
  if (crc !== checksum(pointer)) throw corrupt(paths, "its checksum is wrong");
  return { pointer, version: node.stat.version };
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(text) as object | null) };
  } catch {
    return {};
  }
}

function encodePointer(pointer: Pointer): Buffer {
  return Buffer.from(JSON.stringify({ format: FORMAT, ...pointer, crc: checksum(pointer) }));
}

/** Of the pointer itself; each chunk has its own. */
function checksum({ guid, chunks, position }: Pointer): number {
  return crc32c(Buffer.from(`${guid} ${chunks} ${position}`));
}

function corrupt({ snapshot }: QueuePaths, what: string): PqError {
  return new PqError("CORRUPT", `the snapshot that ${snapshot} names is damaged: ${what}`);
}
