/**
 * Reads the log of one queue, entry after entry, into a replica. An entry that is missing was tidied away, since a snapshot has what it did, or
 * never was: then the next one counts.
 *
 * A bucket that was tidied away might be made anew by somebody who has slept meanwhile. So whoever goes on to another bucket, as a reader or as a
 * writer, looks whether the snapshot is further than that, and then begins anew from it.
 */
import { type BackendEvent, type Clock, PqError, sleep } from "@pq/core/backend";
import { Bodies } from "./bodies.ts";
import { type OwnEntry, type ReadEntry, readEntry, timeOwnEntry } from "./log-reader.ts";
import { BUCKET, entryNumber, type QueuePaths } from "./paths.ts";
import { type AppliedEntry, Replica, type Result } from "./replica.ts";
import type { ServerTime } from "./server-time.ts";
import { ensure } from "./session.ts";
import { loadSnapshot, snapshotPosition } from "./snapshot.ts";
import { PERSISTENT, type ZkClient } from "./zk-client.ts";
import { isZkError, ZK_CODES } from "./zk-error.ts";

/** Entries read at a time. */
const AHEAD = 32;
/** How often a server may be behind another one; each time it is given a little longer. */
const MOST_MISSES = 40;
const NO_DATA: Buffer = Buffer.alloc(0);

/** What a log needs of its backend. */
export interface LogContext {
  readonly name: string;
  readonly paths: QueuePaths;
  readonly clock: Clock;
  readonly time: ServerTime;
  /** For messages. */
  readonly address: string;
  /** Nodes are for those alone who are logged in. */
  readonly restricted: boolean;
  /** The client, while it is connected. Throws `UNAVAILABLE` and `CLOSED`. */
  use(): ZkClient;
  report(event: BackendEvent): void;
}

/** What a follower tells, and asks. */
export interface FollowerEvents {
  /** The entry at this position, if this process has written it. */
  own(position: number): OwnEntry | undefined;
  /** An entry was applied. `results`: what its commands answered; `null`: it was damaged. */
  applied(position: number, results: readonly Result[] | null): void;
  /** Entries up to the replica's position were passed: a snapshot has them. */
  passed(replica: Replica): void;
  /** The replica has changed, or is another. */
  changed(): void;
}

/** Follows a log. */
export class Follower {
  readonly bodies: Bodies;
  readonly #context: LogContext;
  readonly #events: FollowerEvents;
  #replica: Replica | null = null;
  /** Entries before this are there, as far as is known. */
  #known = 0;
  /** How often in a row an entry was looked for that was seen by another server. */
  #misses = 0;
  #running: Promise<void> | null = null;
  #opening: Promise<boolean> | null = null;

  constructor(context: LogContext, events: FollowerEvents) {
    this.#context = context;
    this.#events = events;
    this.bodies = new Bodies(context.paths);
  }

  /** The queue as far as it is known here; `null` before it was read. */
  get replica(): Replica | null {
    return this.#replica;
  }

  /** The same. Throws `UNAVAILABLE` when it was deleted meanwhile. */
  get(): Replica {
    if (this.#replica === null) throw deleted();
    return this.#replica;
  }

  /** Read the queue, if it was not. `false`: there is no such queue; with `create` it is made. */
  async open(create: boolean): Promise<boolean> {
    if (this.#replica !== null) return true;
    if (this.#opening !== null) {
      if (await this.#opening) return true;
      return create ? this.open(true) : false;
    }
    this.#opening = this.#open(create);
    try {
      return await this.#opening;
    } finally {
      this.#opening = null;
    }
  }

  /** Read all that was written until now. Returns what time it is at the leader. It is a write, so nothing that was answered before is missed. */
  async look(): Promise<number> {
    const zk = this.#context.use();
    for (;;) {
      const bucket = Math.floor(this.get().position / BUCKET);
      try {
        const stat = await zk.set(this.#context.paths.bucket(bucket), NO_DATA, -1);
        this.#context.time.saw(stat.mtime);
        await this.advance(bucket * BUCKET + Math.min(stat.created, BUCKET));
        if (Math.floor(this.get().position / BUCKET) === bucket) return stat.mtime;
      } catch (error) {
        if (!isZkError(error, ZK_CODES.noNode)) throw error;
        await this.enterBucket(zk, bucket);
      }
    }
  }

  /** Read what the server that this process is connected to has got, `known` entries at least, and leave a watch on the next one: its position. `null`: there is no queue. */
  async watch(known: number): Promise<number | null> {
    const zk = this.#context.use();
    const { paths } = this.#context;
    await this.advance(known);
    while (this.#replica !== null) {
      const bucket = Math.floor(this.#replica.position / BUCKET);
      const stat = await zk.exists(paths.bucket(bucket));
      await this.advance(bucket * BUCKET + Math.min(stat?.created ?? 0, BUCKET));
      const next = this.get().position;
      if ((await zk.exists(paths.entry(next), true)) === null) return next;
      await this.advance(next + 1);
    }
    return null;
  }

  /** Apply the entries before `end`, which are there: they were seen by somebody. */
  async advance(end: number): Promise<void> {
    this.#known = Math.max(this.#known, end);
    while (this.#replica !== null && this.#replica.position < end) {
      this.#running ??= this.#run().finally(() => {
        this.#running = null;
      });
      await this.#running;
    }
  }

  /** Make a bucket if nobody has. `false`: it is one that was tidied away long ago, and the replica is another now. */
  async enterBucket(zk: ZkClient, bucket: number): Promise<boolean> {
    const { paths, restricted } = this.#context;
    const path = paths.bucket(bucket);
    if ((await zk.exists(paths.log)) === null) this.#lost();
    let made = false;
    try {
      await zk.create(path, NO_DATA, PERSISTENT);
      made = true;
    } catch (error) {
      if (!isZkError(error, ZK_CODES.nodeExists)) throw error;
    }
    if (restricted) await zk.setAccess(path);
    if (!(await this.#isPassed(zk, bucket * BUCKET))) return true;
    if (made) await zk.delete(path).catch(() => false);
    return false;
  }

  /** Forget the queue: it is read anew when it is needed. */
  reset(): void {
    this.#replica = null;
    this.#known = 0;
    this.bodies.clear();
  }

  async #open(create: boolean): Promise<boolean> {
    const zk = this.#context.use();
    const { paths, name, restricted } = this.#context;
    if ((await zk.exists(paths.log)) === null) {
      if (!create) return false;
      for (const path of [paths.base, paths.parts, paths.snapshots, paths.log, paths.bucket(0)]) {
        await ensure(zk, path, restricted);
      }
    }
    this.#become((await loadSnapshot(zk, paths, name)) ?? new Replica(name));
    return true;
  }

  #become(replica: Replica): void {
    this.#replica = replica;
    this.#known = Math.max(this.#known, replica.position);
    this.#events.passed(replica);
    this.#events.changed();
  }

  async #run(): Promise<void> {
    const zk = this.#context.use();
    while (this.#replica !== null && this.#replica.position < this.#known) {
      const from = this.#replica.position;
      if (from > 0 && from % BUCKET === 0 && (await this.#isPassed(zk, from))) continue;
      const count = Math.min(AHEAD, this.#known - from, BUCKET - (from % BUCKET));
      const reads = Array.from({ length: count }, (_, index) => this.#read(zk, from + index));
      // One that fails rejects here, in order; the others are not to be unhandled then.
      for (const read of reads) read.catch(() => undefined);
      for (const [index, reading] of reads.entries()) {
        const read = await reading;
        if (this.#replica?.position !== from + index) break;
        if (read === null) {
          await this.#missing(zk, from + index);
          break;
        }
        this.#apply(from + index, read);
      }
      this.#events.changed();
    }
  }

  #read(zk: ZkClient, position: number): Promise<ReadEntry | null> {
    const { paths } = this.#context;
    const own = this.#events.own(position);
    return own === undefined ? readEntry(zk, paths, position) : timeOwnEntry(zk, paths.entry(position), own);
  }

  #apply(position: number, { time, head, page, content }: ReadEntry): void {
    const replica = this.get();
    const { name, paths } = this.#context;
    this.#context.time.saw(time);
    if (content !== null && page.bodyLength > 0) this.bodies.keep(position, content);
    if (head === null) {
      const where = paths.entry(position);
      this.#context.report({ type: "damage", message: "an entry of the log is damaged", queue: name, where });
      replica.damaged.add(position);
    }
    this.#misses = 0;
    const results = this.#applyTo(replica, { position, time, page, head: head ?? { member: "", commands: [] } });
    this.#events.applied(position, head === null ? null : results);
  }

  /** A replica on which an entry went wrong is not to be trusted any more: the queue is read anew. */
  #applyTo(replica: Replica, entry: AppliedEntry): Result[] {
    try {
      return replica.apply(entry);
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  /** An entry is not there: it was tidied away, or never was, or the server is behind the one that told of it. */
  async #missing(zk: ZkClient, position: number): Promise<void> {
    if (await this.#isPassed(zk, position + 1)) return;
    const bucket = Math.floor(position / BUCKET);
    const names = await zk.children(this.#context.paths.bucket(bucket));
    if (names === null) this.#lost();
    const numbers = (names ?? []).map(entryNumber);
    // It has come since it was looked for.
    if (numbers.includes(position % BUCKET)) return;
    const later = numbers.filter((number) => number > position % BUCKET);
    if (later.length > 0) this.get().position = bucket * BUCKET + Math.min(...later, BUCKET);
    else if (++this.#misses > MOST_MISSES) throw new Error("an entry that was seen is not there any more");
    else await sleep(this.#context.clock, this.#misses);
  }

  /** Is the snapshot at this position or further, and further than the replica? Then the replica is another now. */
  async #isPassed(zk: ZkClient, position: number): Promise<boolean> {
    const { paths, name } = this.#context;
    if ((await snapshotPosition(zk, paths)) < Math.max(position, this.get().position + 1)) return false;
    const loaded = await loadSnapshot(zk, paths, name);
    if (loaded === null || loaded.position <= this.get().position) return false;
    this.#become(loaded);
    return true;
  }

  #lost(): never {
    this.reset();
    throw deleted();
  }
}

function deleted(): PqError {
  return new PqError("UNAVAILABLE", "the queue was deleted while it was used");
}
