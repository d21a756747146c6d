/**
 * Every path, in one place.
 *
 * ```
 * <root>                                  the format of what is below
 * <root>/members/<member>                 ephemeral: a session that takes part
 * <root>/names/<2 hex>/<queue>            a queue that ever had a job
 * <root>/queues/<queue>/log/<bucket>/e<number>   the log: entry <number> of a bucket of 1,000
 * <root>/queues/<queue>/parts/<guid>-<n>  what is too large for an entry
 * <root>/queues/<queue>/snapshot          which snapshot counts
 * <root>/queues/<queue>/snapshots/<guid>-<n>
 * <root>/queues/<queue>/tidying           ephemeral: who makes a snapshot
 * ```
 *
 * A queue's name is its bytes with all but letters, digits, `-` and `_` as `%XX`: no name leaves its place, and two names never meet.
 */
import { createHash } from "node:crypto";

/** Entries in a bucket. Its list of children is 14 KB. */
export const BUCKET = 1000;

/** The paths of a store. */
export class Paths {
  readonly root: string;
  readonly members: string;
  readonly names: string;
  readonly queues: string;

  constructor(root: string) {
    this.root = root;
    this.members = `${root}/members`;
    this.names = `${root}/names`;
    this.queues = `${root}/queues`;
  }

  member(member: string): string {
    return `${this.members}/${member}`;
  }

  /** Where names with this beginning of their hash are. */
  nameGroup(group: string): string {
    return `${this.names}/${group}`;
  }

  /** The node that says that the queue has had a job, and the one it is in. */
  name(queue: string): { readonly path: string; readonly group: string } {
    const group = this.nameGroup(createHash("sha256").update(queue).digest("hex").slice(0, 2));
    return { group, path: `${group}/${encodeName(queue)}` };
  }

  queue(name: string): QueuePaths {
    return new QueuePaths(`${this.queues}/${encodeName(name)}`);
  }
}

/** The paths of a queue. */
export class QueuePaths {
  readonly base: string;
  readonly log: string;
  readonly parts: string;
  readonly snapshot: string;
  readonly snapshots: string;
  readonly tidying: string;

  constructor(base: string) {
    this.base = base;
    this.log = `${base}/log`;
    this.parts = `${base}/parts`;
    this.snapshot = `${base}/snapshot`;
    this.snapshots = `${base}/snapshots`;
    this.tidying = `${base}/tidying`;
  }

  /** The parent of entries. */
  bucket(number: number): string {
    return `${this.log}/${String(number).padStart(10, "0")}`;
  }

  /** The entry at a position of the log. */
  entry(position: number): string {
    return this.entryAt(Math.floor(position / BUCKET), position % BUCKET);
  }

  /** An entry by its number in a bucket. */
  entryAt(bucket: number, number: number): string {
    return `${this.newEntry(bucket)}${String(number).padStart(10, "0")}`;
  }

  /** What a sequential entry is created as. */
  newEntry(bucket: number): string {
    return `${this.bucket(bucket)}/${ENTRY}`;
  }

  part(guid: string, number: number): string {
    return `${this.parts}/${guid}-${number}`;
  }

  chunk(guid: string, number: number): string {
    return `${this.snapshots}/${guid}-${number}`;
  }
}

const ENTRY = "e";

/** The number of an entry in its bucket, by its name or path; NaN for anything else. */
export function entryNumber(name: string): number {
  const digits = /(?:^|\/)e(\d{10,})$/.exec(name)?.[1];
  return digits === undefined ? NaN : Number(digits);
}

/** The guid of a part or chunk, by its name. */
export function guidOf(name: string): string {
  return name.slice(0, name.lastIndexOf("-"));
}

const PLAIN = /[^A-Za-z0-9_-]/;

/** A name as the name of a node. */
export function encodeName(name: string): string {
  if (!PLAIN.test(name)) return name;
  let text = "";
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    text += PLAIN.test(character) ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}` : character;
  }
  return text;
}

/** The name of a queue, from that of its node; `null` when it is none. */
export function decodeName(text: string): string | null {
  try {
    const name = decodeURIComponent(text);
    return encodeName(name) === text ? name : null;
  } catch {
    return null;
  }
}
