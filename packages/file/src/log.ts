/**
 * The log: group commit.
 *
 * Entries gather in a group. While one group is on its way to disk, the next one gathers; when the write returns, the
 * next group goes, whole, with one write that is also its sync (O_DSYNC). So a lone entry waits for nobody, and under load one sync
 * serves all that came meanwhile. There are no timers.
 *
 * An entry is told `done` when its group is on disk at the promised level, or `failed`. Entries stand in the log in the order of
 * `append`, and no entry is done before one that stands before it.
 *
 * **A full disk** (ENOSPC, EDQUOT). The file is cut back to its last whole group. Entries that may be shed (puts, moves
 * of compaction) fail as not applied; for the others the reserve is given free and they are written again. From then on the log
 * is `full`: the store admits no puts until the reserve could be taken again.
 *
 * **Any other error** is final: after a failed sync nobody knows what is on disk, and the system forgets that it
 * failed. The entries of the group fail as of unknown outcome, all later ones as not applied, until the store is opened anew.
 *
 * **A new segment** begins with a catalog (what is known of the queues but their jobs) as the first entries of its first
 * group, so that any suffix of the log stands for itself.
 */
import fs from "node:fs";
import type { PqError } from "@pq/core/backend";
import { isFull, outcomeUnknown, unavailable } from "./errors.ts";
import { syncFolder } from "./files.ts";
import { FrameWriter, seal, segmentSeed } from "./frame.ts";
import { type Entry, Group } from "./group.ts";
import { type Layout, SEGMENT_HEADER } from "./layout.ts";
import type { Reserve } from "./reserve.ts";
import { encodeHeader } from "./segment.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { Tail } from "./tail.ts";

const TAIL_BYTES = 4 * 1024 * 1024;
/** A writer larger than this is not kept for the next group. */
const LARGEST_KEPT = 8 * 1024 * 1024;

/** Where the log goes on, as recovery found it. */
export interface LogEnd {
  /** The segment to go on with, 0 for none yet. */
  readonly segment: number;
  readonly size: number;
  /** The last group number in use. */
  readonly group: number;
}

/** What the log needs to know. */
export interface LogOptions {
  readonly layout: Layout;
  readonly durable: boolean;
  readonly segmentBytes: number;
  readonly salt: number;
  readonly reserve: Reserve;
  /** Writes the records that a new segment begins with. */
  readonly catalog: (frames: FrameWriter) => void;
}

/** The writer of a folder. */
export class Log {
  readonly tail: Tail = new Tail(TAIL_BYTES);
  readonly #options: LogOptions;
  readonly #start: LogEnd;
  #segment: number;
  #file: SegmentWriter | undefined;
  #group: number;
  #gathering: Group | undefined;
  #spare: FrameWriter | undefined;
  #writing: Promise<void> | undefined;
  #failure: PqError | undefined;
  #stopped = false;
  #full = false;
  #written = 0;
  /** The size of the segment once all but the gathering group is written. */
  #projected: number;

  constructor(options: LogOptions, start: LogEnd) {
    this.#options = options;
    this.#start = start;
    this.#segment = start.segment;
    this.#group = start.group;
    this.#projected = start.segment === 0 ? Infinity : start.size;
  }

  /** The segment being written. */
  get segment(): number {
    return this.#segment;
  }

  /** Bytes of it that are written. */
  get size(): number {
    return this.#file?.size ?? this.#start.size;
  }

  /** The number of the last group written. */
  get group(): number {
    return this.#group;
  }

  /** Bytes written since opening. */
  get written(): number {
    return this.#written;
  }

  /** Was the disk full the last time it was asked? */
  get full(): boolean {
    return this.#full;
  }

  /** Will no entry ever be written again? */
  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** Open the segment to go on with. What recovery read may be in the system's memory alone: it is synced first. */
  async open(): Promise<void> {
    const { segment, size } = this.#start;
    if (segment === 0) return;
    const { layout, durable } = this.#options;
    this.#file = await SegmentWriter.open(layout.segment(segment), durable, size);
    if (durable) await this.#file.syncAll();
  }

  /** Throws what every call gets once writing has failed. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Add an entry, written by `write`. Not on a broken log. */
  append<T>(entry: Entry, write: (frames: FrameWriter) => T): T {
    this.#gathering ??= this.#newGroup();
    const result = this.#gathering.add(entry, write);
    this.#writing ??= this.#run();
    return result;
  }

  /** Resolves when everything that was appended is done or failed. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Resolves when everything that was appended by now is on disk. */
  barrier(): Promise<void> {
    this.check();
    return new Promise((resolve, reject) => {
      this.append({ done: () => resolve(), failed: reject }, () => undefined);
    });
  }

  /** While the disk is full: is there room left for so many bytes of what consumers need? */
  hasReserve(bytes: number): boolean {
    return !this.#full || this.#options.reserve.left >= bytes;
  }

  /** Take the reserve again, if the disk has room for it. */
  async recoverSpace(): Promise<boolean> {
    if (this.#full && (await this.#options.reserve.restore())) this.#full = false;
    return !this.#full;
  }

  /** Flush what was left to the system. */
  async sync(): Promise<void> {
    await this.#file?.sync();
  }

  /** Stop at once: what is being written is waited for, what gathers is dropped. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#failure ??= unavailable("the store was stopped");
    await this.idle();
    this.#gathering?.fail(outcomeUnknown("the store was stopped"));
    await this.#file?.close();
    this.#file = undefined;
  }

  #newGroup(): Group {
    const frames = this.#spare ?? new FrameWriter();
    this.#spare = undefined;
    const rolls = this.#projected >= this.#options.segmentBytes;
    if (rolls) this.#options.catalog(frames);
    return new Group(frames, rolls);
  }

  /** Write groups until none gathers. Starts a microtask later, so that one burst of calls is one group. */
  async #run(): Promise<void> {
    await Promise.resolve();
    for (let group = this.#gathering; group !== undefined && !this.#stopped; group = this.#gathering) {
      this.#gathering = undefined;
      const size = group.frames.length;
      this.#projected = (group.rolls ? SEGMENT_HEADER : this.size) + size;
      await this.#commit(group);
      group.frames.out.clear();
      if (size <= LARGEST_KEPT) this.#spare ??= group.frames;
    }
    this.#writing = undefined;
  }

  async #commit(group: Group): Promise<void> {
    if (this.#failure !== undefined) {
      group.fail(this.#failure);
      return;
    }
    try {
      if (group.rolls) await this.#roll(group);
      else await this.#write(group);
    } catch (error) {
      if (isFull(error) && this.#file !== undefined) await this.#commitFull(group, this.#file, error);
      else this.#giveUp(group, error);
    }
  }

  /** Write at the end of the segment. */
  async #write(group: Group): Promise<void> {
    if (group.isEmpty) return;
    const file = this.#file;
    if (file === undefined) throw new Error("the log has no segment yet");
    const bytes = group.frames.out.written;
    const base = file.size;
    seal(bytes, segmentSeed(this.#options.salt, this.#segment), base, ++this.#group);
    await file.write(bytes, group.isLazy);
    this.#wrote(group, bytes, base);
  }

  /** Write as the first group of a new segment. */
  async #roll(group: Group): Promise<void> {
    const { layout, durable, salt } = this.#options;
    const bytes = group.frames.out.written;
    const segment = this.#segment + 1;
    await this.sync();
    const file = await SegmentWriter.open(layout.segment(segment), durable, 0, true);
    try {
      seal(bytes, segmentSeed(salt, segment), SEGMENT_HEADER, ++this.#group);
      await file.write(Buffer.concat([encodeHeader(segment, salt), bytes]), false);
      await syncFolder(layout.folder);
    } catch (error) {
      await file.close();
      await fs.promises.rm(layout.segment(segment), { force: true }).catch(() => undefined);
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    this.#segment = segment;
    this.#wrote(group, bytes, SEGMENT_HEADER);
  }

  #wrote(group: Group, bytes: Buffer, base: number): void {
    this.#written += bytes.length;
    if (this.#full) this.#options.reserve.spend(bytes.length);
    this.tail.add(this.#segment, base, bytes);
    group.done(this.#segment, base);
  }

  /**
   * The disk is full: shed what can be shed, also of what gathers (a put there may have been answered by one that has
   * just vanished), and write the rest into the space of the reserve.
   */
  async #commitFull(group: Group, file: SegmentWriter, cause: unknown): Promise<void> {
    this.#full = true;
    try {
      // First, and on disk: a put that is told "not applied" must not come back after a crash.
      await file.trim();
      if (this.#options.durable) await file.syncAll();
    } catch (second) {
      this.#giveUp(group, second);
      return;
    }
    const error = unavailable("the disk is full", cause);
    const kept = group.shed(error);
    const gathering = this.#gathering?.shed(error);
    this.#gathering = gathering?.isEmpty === true ? undefined : gathering;
    try {
      if (!kept.isEmpty) await this.#options.reserve.release();
      await this.#write(kept);
      this.#projected = this.size;
    } catch (second) {
      this.#giveUp(kept, second);
    }
  }

  #giveUp(group: Group, cause: unknown): void {
    this.#failure ??= unavailable("writing to the store failed; it must be opened anew", cause);
    group.fail(outcomeUnknown("writing to the store failed", cause));
  }
}
