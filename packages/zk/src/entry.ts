/**
 * An entry of the log as a node. Its content is the head (the commands) and the body (the records of jobs that are put).
 *
 * ```
 * checksum of the rest (4), version (1), kind (1), length of the head (4), length of the body (4)
 * inline:  the content
 * parts:   guid (16), checksum of the head (4): the content is in nodes <guid>-0, <guid>-1, … of `PART` bytes
 * ```
 *
 * Parts are created before the entry, which is what makes them count. Who follows the log reads the body only of jobs that it is given.
 */
import { PqError, type RequestId } from "@pq/core/backend";
import { ByteReader, ByteWriter, crc32c, formatRequest, parseWords } from "@pq/core/state";

/** What is larger goes into parts of this size. */
export const MOST_INLINE: number = 256 * 1024;
export const PART: number = 900 * 1024;

/** The format of entries. A process that meets a newer one cannot go on. */
const VERSION = 1;
const INLINE = 0;
const IN_PARTS = 1;
const HEADER = 14;

/** An entry that was read. */
export interface SealedEntry {
  readonly headLength: number;
  readonly bodyLength: number;
  /** The content, or where it is. */
  readonly content: { readonly inline: Buffer } | { readonly guid: RequestId; readonly headCrc: number };
}

/** The content of an entry that is to be written. */
export interface Content {
  readonly head: Buffer;
  readonly body: Buffer;
}

/** The node of an entry whose content is in it. */
export function sealInline({ head, body }: Content): Buffer {
  return seal(INLINE, head.length, body.length, [head, body]);
}

/** The node of an entry whose content is in parts. */
export function sealParts({ head, body }: Content, guid: RequestId): Buffer {
  const where = new ByteWriter(20);
  const words = new Int32Array(4);
  parseWords(guid, words);
  where.words(words);
  where.u32(crc32c(head));
  return seal(IN_PARTS, head.length, body.length, [where.written]);
}

/** The parts of a content. */
export function partsOf({ head, body }: Content): Buffer[] {
  const all = Buffer.concat([head, body]);
  const parts: Buffer[] = [];
  for (let at = 0; at < all.length; at += PART) parts.push(all.subarray(at, at + PART));
  return parts;
}

/** Open a node; `null` when it is damaged. Throws `INCOMPATIBLE_VERSION`. */
export function open(node: Buffer): SealedEntry | null {
  if (node.length < HEADER || node.readUInt32LE(0) !== crc32c(node, 4)) return null;
  const version = node.readUInt8(4);
  if (version > VERSION) {
    throw new PqError(
      "INCOMPATIBLE_VERSION",
      `the log of the queue has an entry of format ${version}, and this version of @pq/zk knows ${VERSION}: upgrade it`,
    );
  }
  const input = new ByteReader(node, 6);
  const headLength = input.u32();
  const bodyLength = input.u32();
  if (node.readUInt8(5) === INLINE) return { headLength, bodyLength, content: { inline: node.subarray(HEADER) } };
  const words = new Int32Array(4);
  input.words(words);
  return { headLength, bodyLength, content: { guid: formatRequest(words), headCrc: input.u32() } };
}

function seal(kind: number, headLength: number, bodyLength: number, rest: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(VERSION, 4);
  header.writeUInt8(kind, 5);
  header.writeUInt32LE(headLength, 6);
  header.writeUInt32LE(bodyLength, 10);
  const node = Buffer.concat([header, ...rest]);
  node.writeUInt32LE(crc32c(node, 4), 0);
  return node;
}
