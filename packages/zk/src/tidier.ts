/**
 * Cuts the log of a queue: publishes a snapshot, and deletes what it makes superfluous. That is:
 *
 * - chunks of other snapshots;
 * - entries before the snapshot's position that hold no record of a job, and those that never counted; damaged ones are kept;
 * - buckets before the one of that position, once they are empty;
 * - parts of entries that are gone, each after its entry, since who reads an entry and does not find its parts takes them for damaged;
 *   and parts that have had no entry for an hour: who wrote them is no more.
 *
 * All is listed each time, so that what a tidier left that came to an end half-way is deleted by the next. An ephemeral node sees to it that two do not do
 * the same work. Nothing worse would come of that: what is superfluous to one snapshot is so to all that follow.
 *
 * All processes follow the same log. The first to try is the one whose own entry reached the number that makes it worth while; the
 * others do when twice as many have come, and nobody has.
 */
import type { RequestId } from "@pq/core/backend";
import type { Member } from "./commands.ts";
import { BUCKET, entryNumber, guidOf, type QueuePaths } from "./paths.ts";
import type { Replica } from "./replica.ts";
import { deleteAll, eachOf, publishSnapshot, snapshotPosition } from "./snapshot.ts";
import { EPHEMERAL, type ZkClient } from "./zk-client.ts";
import { isZkError, ZK_CODES } from "./zk-error.ts";

/** Entries after which a snapshot is worth while: so many, and one more for each of these jobs. An entry counts for as many as its jobs and settlements would fill. */
const ENTRIES = 500;
const JOBS_PER_ENTRY = 20;
const ITEMS_PER_ENTRY = 20;
/** After so much of that number it is tried again. */
const AGAIN = 1 / 4;
const ORPHANED = 3_600_000;
/** A lock as old was left in a session that somebody else uses, in ms. */
const LEFT = 600_000;
/** Nodes looked at, at a time. */
const LOOKS = 64;

/** What a tidier needs of its log. */
export interface TidierContext {
  readonly paths: QueuePaths;
  /** Nodes are for those alone who are logged in. */
  readonly restricted: boolean;
  /** The client, while it is connected. Throws. */
  use(): ZkClient;
  /** Who takes part here. Throws as `use` does. */
  member(): Member;
  /** The queue as far as it was read. */
  replica(): Replica | null;
  /** Parts without an entry are deleted when they are as old, in ms. Default 1 h: their writer would have written it in seconds. */
  readonly orphaned?: number;
}

/** What a tidier has done until now. */
export interface TidierProgress {
  readonly phase: "idle" | "looking" | "locking" | "publishing" | "cutting";
  /** Attempts that ended in any way, snapshots that were published, and nodes that were deleted. */
  readonly attempts: number;
  readonly published: number;
  readonly deleted: number;
}

/** What stays, as of the moment of a snapshot. */
interface Kept {
  /** The snapshot has all entries before this one. */
  readonly position: number;
  /** The entries before it that stay, and the names of the parts of some. */
  readonly entries: ReadonlySet<number>;
  readonly guids: ReadonlySet<RequestId>;
}

/** Tidies up one queue, for one process. */
export class Tidier {
  readonly #context: TidierContext;
  #running: Promise<unknown> | null = null;
  #closed = false;
  /** The position of the newest snapshot that was heard of. */
  #snapshot = 0;
  /** What the replica had counted then. */
  #items = 0;
  /** Nothing is tried before this position. */
  #next = 0;
  #progress: TidierProgress = { phase: "idle", attempts: 0, published: 0, deleted: 0 };

  constructor(context: TidierContext) {
    this.#context = context;
  }

  /** What was done until now. */
  get progress(): TidierProgress {
    return this.#progress;
  }

  /** All entries before this position were applied; `own`: some that this process wrote are among the last of them. Begins to tidy up, if it is time. */
  applied(position: number, own: boolean): void {
    const replica = this.#context.replica();
    if (this.#running !== null || this.#closed || replica === null) return;
    // Then the queue was deleted, and made anew.
    if (position < this.#snapshot) this.#snapshot = this.#next = 0;
    // Then the replica is another, made from a snapshot.
    if (replica.items < this.#items) this.#items = 0;
    const due = dueAfter(replica) * (own ? 1 : 2);
    if (this.#workSince(replica) < due || position < this.#next) return;
    this.#next = position + Math.ceil((due / ITEMS_PER_ENTRY) * AGAIN);
    this.#begin(() => this.#tidyIfDue(due)).catch(() => false);
  }

  /** What has gathered since the newest snapshot, as a number of entries. */
  #workSince({ position, items }: Replica): number {
    return position - this.#snapshot + (items - this.#items) / ITEMS_PER_ENTRY;
  }

  /** Tidy up now, unless somebody is at it. Resolves with whether a snapshot was published and the log cut. Never rejects: the next attempt finishes this one. */
  async tidy(): Promise<boolean> {
    while (this.#running !== null) await this.#running;
    return !this.#closed && this.#begin(() => this.#tidy());
  }

  /** Stop, and give back the lock. Resolves once nothing is under way. To be called before the session ends. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #begin(act: () => Promise<boolean>): Promise<boolean> {
    this.#note({ phase: "looking" });
    const running = act()
      .finally(() => {
        this.#running = null;
        this.#note({ phase: "idle", attempts: this.#progress.attempts + 1 });
      })
      // Such as a lost connection: no harm is done by not tidying up.
      .catch(() => false);
    this.#running = running;
    return running;
  }

  async #tidyIfDue(due: number): Promise<boolean> {
    const published = await snapshotPosition(this.#context.use(), this.#context.paths);
    const replica = this.#context.replica();
    if (replica === null) return false;
    // How much of what was counted another one's snapshot has, nobody knows: all, then.
    if (published > this.#snapshot) this.#items = replica.items;
    this.#snapshot = Math.min(published, replica.position);
    return this.#workSince(replica) >= due && (await this.#tidy());
  }

  async #tidy(): Promise<boolean> {
    const { paths } = this.#context;
    const zk = this.#context.use();
    this.#note({ phase: "locking" });
    if (!(await this.#lock(zk))) return false;
    try {
      return await this.#publishAndCut(zk);
    } finally {
      await zk.delete(paths.tidying).catch(() => false);
    }
  }

  /** `false`: somebody else is at it. */
  async #lock(zk: ZkClient): Promise<boolean> {
    const { paths, restricted } = this.#context;
    const owner = Buffer.from(this.#context.member());
    try {
      await zk.create(paths.tidying, owner, EPHEMERAL);
      if (restricted) await zk.setAccess(paths.tidying);
      return true;
    } catch (error) {
      if (!isZkError(error, ZK_CODES.nodeExists)) throw error;
    }
    const node = await zk.get(paths.tidying);
    // An attempt of this process lost its connection, but not its session.
    if (node?.data.equals(owner) === true) return true;
    const now = this.#context.replica()?.queue.time ?? 0;
    if (node !== null && node.stat.ctime + LEFT < now) await zk.delete(paths.tidying);
    return false;
  }

  async #publishAndCut(zk: ZkClient): Promise<boolean> {
    const { paths, restricted } = this.#context;
    const replica = this.#context.replica();
    if (replica === null || this.#closed) return false;
    this.#note({ phase: "publishing" });
    // Nothing comes between these two: the snapshot is encoded before the first wait in it.
    const kept = keptBy(replica);
    const { items } = replica;
    const published = await publishSnapshot(zk, paths, replica, restricted);
    if (published === null) return false;
    this.#snapshot = Math.max(this.#snapshot, published.position);
    this.#items = items;
    this.#note({ phase: "cutting", published: this.#progress.published + 1 });
    await this.#delete(
      zk,
      published.dead.map((name) => `${paths.snapshots}/${name}`),
    );
    await this.#cutBuckets(zk, kept);
    await this.#deleteParts(zk, kept, replica);
    return true;
  }

  async #cutBuckets(zk: ZkClient, kept: Kept): Promise<void> {
    const { paths } = this.#context;
    const last = Math.floor(kept.position / BUCKET);
    const buckets = ((await zk.children(paths.log)) ?? []).map(Number).filter((bucket) => bucket <= last);
    for (const bucket of buckets.toSorted((a, b) => a - b)) {
      const path = paths.bucket(bucket);
      const names = (await zk.children(path)) ?? [];
      const dead = names.filter((name) => isDead(bucket, entryNumber(name), kept));
      await this.#delete(
        zk,
        dead.map((name) => `${path}/${name}`),
      );
      if (bucket < last && dead.length === names.length) await this.#deleteEmpty(zk, path);
    }
  }

  /** Somebody may just have written an entry that does not count. */
  async #deleteEmpty(zk: ZkClient, path: string): Promise<void> {
    try {
      await this.#delete(zk, [path]);
    } catch (error) {
      if (!isZkError(error, ZK_CODES.notEmpty)) throw error;
    }
  }

  /** Entries come to the replica all the time, and are counted as they do. */
  async #deleteParts(zk: ZkClient, kept: Kept, { pages }: Replica): Promise<void> {
    const { paths } = this.#context;
    const names = (await zk.children(paths.parts)) ?? [];
    const dead: string[] = [];
    const unknown: string[] = [];
    for (const name of names) {
      const guid = guidOf(name) as RequestId;
      const position = pages.inParts.get(guid);
      if (kept.guids.has(guid)) continue;
      if (position === undefined) unknown.push(`${paths.parts}/${name}`);
      else if (isPassed(position, kept)) dead.push(`${paths.parts}/${name}`);
    }
    dead.push(...(await this.#orphaned(zk, unknown)));
    await this.#delete(zk, dead);
    for (const [guid, position] of pages.inParts) if (isPassed(position, kept)) pages.inParts.delete(guid);
  }

  /** Those of these parts whose entry would be there by now. The lock tells what time it is: the queue's own time may be ahead, of a clock that was wrong. */
  async #orphaned(zk: ZkClient, parts: readonly string[]): Promise<string[]> {
    const { paths, orphaned = ORPHANED } = this.#context;
    const old: string[] = [];
    const now = parts.length === 0 ? 0 : ((await zk.exists(paths.tidying))?.ctime ?? 0);
    await eachOf(parts, LOOKS, async (path) => {
      const stat = await zk.exists(path);
      if (stat !== null && stat.ctime + orphaned < now) old.push(path);
    });
    return old;
  }

  async #delete(zk: ZkClient, nodes: readonly string[]): Promise<void> {
    const deleted = await deleteAll(zk, nodes, () => this.#closed);
    this.#note({ deleted: this.#progress.deleted + deleted });
  }

  #note(change: Partial<TidierProgress>): void {
    this.#progress = { ...this.#progress, ...change };
  }
}

function dueAfter({ queue }: Replica): number {
  return ENTRIES + Math.ceil(queue.jobs.table.count / JOBS_PER_ENTRY);
}

function keptBy(replica: Replica): Kept {
  replica.prune();
  const { position, pages, damaged } = replica;
  const entries = new Set(damaged);
  const guids = new Set<RequestId>();
  for (const [, page] of pages) {
    entries.add(page.position);
    if (page.guid !== null) guids.add(page.guid);
  }
  return { position, entries, guids };
}

/** Is this entry superfluous? Those beyond the end of a bucket never counted. */
function isDead(bucket: number, number: number, { position, entries }: Kept): boolean {
  if (Number.isNaN(number)) return false;
  const at = bucket * BUCKET + number;
  if (number >= BUCKET) return (bucket + 1) * BUCKET <= position;
  return isPassed(at, { position, entries });
}

function isPassed(at: number, { position, entries }: Pick<Kept, "position" | "entries">): boolean {
  return at < position && !entries.has(at);
}
