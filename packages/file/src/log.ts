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
import { closeFile, openFile, syncData, syncFolder, truncate, writeAll } from "./files.ts";
import { FrameWriter, seal, segmentSeed } from "./frame.ts";
import { type Layout, SEGMENT_HEADER } from "./layout.ts";
import type { Reserve } from "./reserve.ts";
import { encodeHeader, HAS_DSYNC, segmentFlags } from "./segment.ts";
import { Tail } from "./tail.ts";

const TAIL_BYTES = 4 * 1024 * 1024;
/** A writer larger than this is not kept for the next group. */
const LARGEST_KEPT = 8 * 1024 * 1024;

/** One entry of the log. */
export interface Entry {
  /** May it fail alone when the disk is full? Nobody has seen its effect then. */
  readonly shed: boolean;
  /** It is on disk; its group's first byte stands at this place. Must not throw. */
  done(segment: number, base: number): void;
  /** It is not (`UNAVAILABLE`), or nobody knows (`OUTCOME_UNKNOWN`). Must not throw. */
  failed(error: PqError): void;
}

/** What gathers. */
interface Group {
  readonly frames: FrameWriter;
  readonly entries: { readonly entry: Entry; readonly start: number; readonly end: number }[];
  readonly rolls: boolean;
}

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
  #segment: number;
  #size: number;
  #group: number;
  #fd = -1;
  #gathering: Group | undefined;
  #spare: FrameWriter | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;
  #failure: PqError | undefined;
  #full = false;
  #written = 0;
  /** The size of the segment once all but the gathering group is written. */
  #projected: number;

  constructor(options: LogOptions, end: LogEnd) {
    this.#options = options;
    this.#segment = end.segment;
    this.#size = end.size;
    this.#group = end.group;
    this.#projected = end.segment === 0 ? Infinity : end.size;
  }

  /** The segment being written. */
  get segment(): number {
    return this.#segment;
  }

  /** Bytes of it that are written. */
  get size(): number {
    return this.#size;
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

  /** Open the segment to go on with. What recovery read may be in the system's memory alone: it is synced first. */
  async open(): Promise<void> {
    if (this.#segment === 0) return;
    this.#fd = await openFile(this.#options.layout.segment(this.#segment), segmentFlags(this.#options.durable, false));
    if (this.#options.durable) await syncData(this.#fd);
  }

  /** Will no entry ever be written again? */
  get broken(): boolean {
    return this.#stopped || this.#failure !== undefined;
  }

  /** Throws what every call gets once writing has failed. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Add an entry, written by `write`. Not on a broken log. */
  append<T>(entry: Entry, write: (frames: FrameWriter) => T): T {
    const group = (this.#gathering ??= this.#newGroup());
    const start = group.frames.length;
    let result: T;
    try {
      result = write(group.frames);
    } catch (error) {
      group.frames.out.cut(start);
      throw error;
    }
    group.entries.push({ entry, start, end: group.frames.length });
    if (this.#writing === undefined) this.#writing = this.#run();
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
      this.append({ shed: false, done: () => resolve(), failed: reject }, () => undefined);
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

  /** Flush what a log that is not durable left to the system. */
  async sync(): Promise<void> {
    if (this.#fd >= 0 && !(this.#options.durable && HAS_DSYNC)) await syncData(this.#fd);
  }

  /** Stop at once: what is being written is waited for, what gathers is dropped. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#failure ??= unavailable("the store was stopped");
    await this.idle();
    if (this.#gathering !== undefined) fail(this.#gathering, outcomeUnknown("the store was stopped"));
    if (this.#fd >= 0) await closeFile(this.#fd);
    this.#fd = -1;
  }

  #newGroup(): Group {
    const frames = this.#spare ?? new FrameWriter();
    this.#spare = undefined;
    const rolls = this.#projected >= this.#options.segmentBytes;
    if (rolls) this.#options.catalog(frames);
    return { frames, entries: [], rolls };
  }

  /** Write groups until none gathers. Starts a microtask later, so that one burst of calls is one group. */
  async #run(): Promise<void> {
    await Promise.resolve();
    for (let group = this.#gathering; group !== undefined && !this.#stopped; group = this.#gathering) {
      this.#gathering = undefined;
      const size = group.frames.length;
      this.#projected = (group.rolls ? SEGMENT_HEADER : this.#size) + size;
      await this.#commit(group);
      group.frames.out.clear();
      if (size <= LARGEST_KEPT) this.#spare ??= group.frames;
    }
    this.#writing = undefined;
  }

  async #commit(group: Group): Promise<void> {
    if (this.#failure !== undefined) {
      fail(group, this.#failure);
      return;
    }
    try {
      const base = group.rolls
        ? await this.#roll(group.frames.out.written)
        : await this.#write(group.frames.out.written);
      for (const { entry } of group.entries) entry.done(this.#segment, base);
    } catch (error) {
      if (isFull(error) && this.#segment > 0) await this.#commitFull(group, error);
      else this.#giveUp(group, error);
    }
  }

  /** Write at the end of the segment. Returns where it stands. */
  async #write(bytes: Buffer): Promise<number> {
    const { durable, salt } = this.#options;
    const base = this.#size;
    seal(bytes, segmentSeed(salt, this.#segment), base, ++this.#group);
    await writeAll(this.#fd, bytes, base);
    if (durable && !HAS_DSYNC) await syncData(this.#fd);
    this.#size = base + bytes.length;
    this.#written += bytes.length;
    this.tail.add(this.#segment, base, bytes);
    return base;
  }

  /** Write as the first group of a new segment. Returns where it stands. */
  async #roll(bytes: Buffer): Promise<number> {
    const { layout, durable, salt } = this.#options;
    const segment = this.#segment + 1;
    seal(bytes, segmentSeed(salt, segment), SEGMENT_HEADER, ++this.#group);
    await this.sync();
    const fd = await openFile(layout.segment(segment), segmentFlags(durable, true));
    try {
      await writeAll(fd, Buffer.concat([encodeHeader(segment, salt), bytes]), 0);
      if (durable && !HAS_DSYNC) await syncData(fd);
      await syncFolder(layout.folder);
    } catch (error) {
      await undoRoll(fd, layout, segment);
      throw error;
    }
    if (this.#fd >= 0) await closeFile(this.#fd);
    this.#fd = fd;
    this.#segment = segment;
    this.#size = SEGMENT_HEADER + bytes.length;
    this.#written += bytes.length;
    this.tail.add(segment, SEGMENT_HEADER, bytes);
    return SEGMENT_HEADER;
  }

  /** The disk is full: shed what can be shed, write the rest into the space of the reserve. */
  async #commitFull(group: Group, cause: unknown): Promise<void> {
    this.#full = true;
    const kept = new FrameWriter();
    const keep: Entry[] = [];
    const error = unavailable("the disk is full", cause);
    for (const { entry, start, end } of group.entries) {
      if (entry.shed) entry.failed(error);
      else {
        keep.push(entry);
        kept.out.bytes(group.frames.out.written.subarray(start, end));
      }
    }
    this.#shedGathering(error);
    try {
      await truncate(this.#fd, this.#size);
      if (keep.length > 0) await this.#writeIntoReserve(kept.out.written, keep);
      this.#projected = this.#size;
    } catch (second) {
      const failed = keep.map((entry) => ({ entry, start: 0, end: 0 }));
      this.#giveUp({ ...group, entries: failed }, second);
    }
  }

  async #writeIntoReserve(bytes: Buffer, entries: readonly Entry[]): Promise<void> {
    await this.#options.reserve.release();
    this.#options.reserve.spend(bytes.length);
    const base = await this.#write(bytes);
    for (const entry of entries) entry.done(this.#segment, base);
  }

  /** Fail the puts that gather: one of them may have been answered by a put that has just vanished. */
  #shedGathering(error: PqError): void {
    const group = this.#gathering;
    if (group === undefined) return;
    const frames = new FrameWriter();
    const entries: Group["entries"] = [];
    for (const { entry, start, end } of group.entries) {
      if (entry.shed) entry.failed(error);
      else {
        const at = frames.length;
        frames.out.bytes(group.frames.out.written.subarray(start, end));
        entries.push({ entry, start: at, end: frames.length });
      }
    }
    this.#gathering = entries.length === 0 ? undefined : { frames, entries, rolls: false };
  }

  #giveUp(group: Group, cause: unknown): void {
    this.#failure = unavailable("writing to the store failed; it must be opened anew", cause);
    fail(group, outcomeUnknown("writing to the store failed", cause));
  }
}

function fail(group: Group, error: PqError): void {
  for (const { entry } of group.entries) entry.failed(error);
}

/** Take back a segment that could not be started. When that fails too, the next opening finds an empty segment and goes on. */
async function undoRoll(fd: number, layout: Layout, segment: number): Promise<void> {
  await truncate(fd, 0).catch(() => undefined);
  await closeFile(fd);
  await fs.promises.rm(layout.segment(segment), { force: true }).catch(() => undefined);
}
