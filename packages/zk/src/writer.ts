/**
 * Writes to the log of one queue. Commands that come together make one entry: a sequential node in the newest bucket. Its place among the
 * entries of all others is the server's doing, so no write is ever refused for another's. The answer to a command is known once all entries up to its
 * own were read and applied. When the reply to a write was lost, core makes the call again: a command that stands in the log twice is done once,
 * by its request.
 *
 * Entry 1,000 of a bucket and those after it do not count: who wrote one writes it again, into the next bucket.
 */
import { isPqError, newRequestId, PqError } from "@pq/core/backend";
import type { Member } from "./commands.ts";
import { type AnswerTo, type Draft, type EncodedEntry, encodeEntry, type Submitted, weightOf } from "./draft.ts";
import { MOST_INLINE, partsOf, sealInline, sealParts } from "./entry.ts";
import { callError } from "./errors.ts";
import type { Follower, LogContext } from "./follower.ts";
import type { OwnEntry } from "./log-reader.ts";
import { BUCKET, entryNumber } from "./paths.ts";
import type { Replica, Result } from "./replica.ts";
import { PERSISTENT, SEQUENTIAL, type Stat, type ZkClient } from "./zk-client.ts";
import { isZkError, ZK_CODES } from "./zk-error.ts";

/** Entries of one process on their way at a time. What comes meanwhile is gathered. */
const IN_FLIGHT = 4;
/** What one entry gathers at most, in bytes. */
const MOST_GATHERED = 4 * 1024 * 1024;

/** Entries for which no position is guessed after a wrong guess. */
const SHY = 16;

/** What a writer needs: as a follower, and whose the entries are. */
export interface WriterContext extends LogContext {
  member(): Member;
}

/** An entry that was written and is not applied yet. */
interface Written {
  readonly entry: EncodedEntry;
  readonly node: Buffer;
  /** What is known of the node, if that was asked for already. */
  readonly stat: Promise<Stat | null> | null;
  readonly submitted: readonly Submitted[];
}

/** Writes commands. */
export class Writer {
  readonly #context: WriterContext;
  readonly #follower: Follower;
  /** The bucket that entries are written to. */
  #bucket = 0;
  /** The position that the next entry may have, and for how many entries it is not guessed, since it was wrong. */
  #next = 0;
  #shy = 0;
  readonly #gathered: Submitted[] = [];
  #inFlight = 0;
  #flushing = false;
  readonly #written = new Map<number, Written>();

  constructor(context: WriterContext, follower: Follower) {
    this.#context = context;
    this.#follower = follower;
  }

  /** Write a command. Resolves with its answer. Rejects with `PqError`. */
  submit<D extends Draft>(draft: D): Promise<AnswerTo<D>> {
    return new Promise<AnswerTo<D>>((resolve, reject) => {
      this.#gathered.push({ draft, resolve: resolve as (result: Result) => void, reject });
      this.#flushSoon();
    });
  }

  /** Write an entry without commands: what is due at its time is done by it. */
  tick(): Promise<void> {
    return this.#append([]);
  }

  /** The entry at this position, if it is one of this process that is not applied yet. */
  own(position: number): OwnEntry | undefined {
    const written = this.#written.get(position);
    return written && { node: written.node, head: written.entry.content.head, stat: written.stat };
  }

  /** An entry was applied. */
  applied(position: number, results: readonly Result[] | null): void {
    const written = this.#written.get(position);
    if (written === undefined) return;
    if (results !== null) written.submitted.forEach(({ resolve }, index) => resolve(results[index]));
    else for (const { reject } of written.submitted) reject(unknown("the entry was damaged on its way"));
  }

  /** Entries were passed by a snapshot. Their answers may be known all the same. */
  passed(replica: Replica): void {
    this.#bucket = Math.max(this.#bucket, Math.floor(replica.position / BUCKET));
    for (const [position, { entry, submitted }] of this.#written) {
      if (position >= replica.position) continue;
      submitted.forEach(({ resolve, reject }, index) => {
        const command = entry.commands[index];
        const answer = command && replica.recall(command);
        if (answer !== undefined) resolve(answer);
        else reject(unknown("a snapshot has passed the entry, and its answer is not known any more"));
      });
    }
  }

  #flushSoon(): void {
    if (this.#flushing || this.#inFlight >= IN_FLIGHT) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#gathered.length > 0 && this.#inFlight < IN_FLIGHT) {
      const submitted = this.#gathered.splice(0, this.#countForOne());
      this.#inFlight++;
      this.#append(submitted)
        .catch((error: unknown) => {
          const failure = callError(error, this.#context.address, true);
          for (const { reject } of submitted) reject(failure);
        })
        .finally(() => {
          this.#inFlight--;
          this.#flushSoon();
        });
    }
  }

  /** How many of the gathered commands go into one entry. */
  #countForOne(): number {
    let weight = 0;
    const count = this.#gathered.findIndex(({ draft }) => (weight += weightOf(draft)) > MOST_GATHERED);
    return count < 0 ? this.#gathered.length : Math.max(1, count);
  }

  /** Write an entry, and apply all up to it. */
  async #append(submitted: readonly Submitted[]): Promise<void> {
    await this.#follower.open(true);
    const zk = this.#context.use();
    const drafts = submitted.map(({ draft }) => draft);
    const entry = encodeEntry(this.#context.member(), drafts);
    const node = await this.#seal(zk, entry);
    const { position, stat } = await this.#place(zk, node);
    try {
      if (position < this.#follower.get().position) throw new Error("an entry was written to a place that has passed");
      this.#written.set(position, { entry, node, stat, submitted });
      await this.#follower.advance(position + 1);
      for (const { reject } of submitted) reject(unknown("the entry was not found again"));
    } catch (error) {
      // It is in the log, whatever went wrong since.
      if (!isPqError(error, "INCOMPATIBLE_VERSION")) this.#fail(submitted, error);
      throw error;
    } finally {
      this.#written.delete(position);
    }
  }

  #fail(submitted: readonly Submitted[], error: unknown): void {
    const { message } = callError(error, this.#context.address, true);
    for (const { reject } of submitted) reject(unknown(message));
  }

  /** Create the entry's node in the newest bucket. */
  async #place(zk: ZkClient, node: Buffer): Promise<{ readonly position: number; readonly stat: Written["stat"] }> {
    const { paths } = this.#context;
    for (;;) {
      const bucket = this.#bucket;
      const guess = this.#guess(bucket);
      const creating = this.#create(zk, bucket, node);
      const asked = guess === null ? null : zk.exists(paths.entry(guess));
      asked?.catch(() => null);
      const number = await creating;
      if (number !== null && number < BUCKET) {
        const position = bucket * BUCKET + number;
        if (guess !== null && guess !== position) {
          this.#shy = SHY;
          this.#next = 0;
        }
        return { position, stat: guess === position ? asked : null };
      }
      if (number !== null) void zk.delete(paths.entryAt(bucket, number)).catch(() => false);
      const next = number === null ? bucket : bucket + 1;
      if (await this.#follower.enterBucket(zk, next)) this.#bucket = Math.max(this.#bucket, next);
    }
  }

  /**
   * The position that the next entry will have if nobody else writes one: its time can be asked for right behind it, without waiting for the answer. `null`: others
   * do write.
   */
  #guess(bucket: number): number | null {
    if (this.#shy > 0) {
      this.#shy--;
      return null;
    }
    const guess = Math.max(this.#next, this.#follower.replica?.position ?? 0);
    if (Math.floor(guess / BUCKET) !== bucket || this.#context.restricted) return null;
    this.#next = guess + 1;
    return guess;
  }

  /** The number of the new entry in its bucket; `null`: there is no such bucket. */
  async #create(zk: ZkClient, bucket: number, node: Buffer): Promise<number | null> {
    try {
      const path = await this.#make(zk, this.#context.paths.newEntry(bucket), node, SEQUENTIAL);
      const number = entryNumber(path);
      if (Number.isNaN(number)) throw new Error("a new entry has no number");
      return number;
    } catch (error) {
      if (isZkError(error, ZK_CODES.noNode)) return null;
      throw error;
    }
  }

  /** Write the parts of an entry that is too large for a node, and give the entry's node. */
  async #seal(zk: ZkClient, { content }: EncodedEntry): Promise<Buffer> {
    if (content.head.length + content.body.length <= MOST_INLINE) return sealInline(content);
    const guid = newRequestId();
    const { paths } = this.#context;
    await Promise.all(partsOf(content).map((part, index) => this.#make(zk, paths.part(guid, index), part, PERSISTENT)));
    return sealParts(content, guid);
  }

  async #make(zk: ZkClient, path: string, data: Buffer, flags: number): Promise<string> {
    const made = await zk.create(path, data, flags);
    if (this.#context.restricted) await zk.setAccess(made);
    return made;
  }
}

function unknown(message: string): PqError {
  return new PqError("OUTCOME_UNKNOWN", message);
}
