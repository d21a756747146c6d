/**
 * Recovery: from the files of a folder to what the store knows.
 *
 * The segments are read in their order, from the place of the checkpoint on, and each whole batch of records is replayed.
 *
 * **What is not a whole frame.** The next whole frame is looked for, byte by byte (a header shows itself by its check). When there is
 * one, the bytes between are damage: they are put aside, and everything around them stays. When there is none, the log ends here: the
 * last segment is cut off. A frame that the end of the file cuts off is an unfinished write and cut off in silence;
 * anything else that is cut off is put aside first, since it may have been a good record once.
 *
 * **Batches** of which a frame is missing or damaged are held back until a frame of a later group is seen. If one is, the group
 * of the batch was written whole and the rest of the batch is good: it is replayed. If none is, the write was never
 * finished and nobody was told that it was: the batch is dropped as a whole.
 */
import fs from "node:fs";
import { giveWay } from "@pq/core/state";
import { corrupt } from "./errors.ts";
import type { Damage } from "./damage.ts";
import { closeFile, openFile, readFile, syncData, syncFolder, truncate } from "./files.ts";
import { FIRST, FrameCursor, MORE, segmentSeed } from "./frame.ts";
import { type Layout, SEGMENT_HEADER, SEGMENT_MAGIC, segmentNumber } from "./layout.ts";
import type { LogEnd } from "./log.ts";
import { JOB } from "./records.ts";
import type { FoundFrame, Knowledge } from "./replay.ts";
import { decodeHeader } from "./segment.ts";

/** Bytes worked off between two pauses for the event loop. */
const SLICE = 128 * 1024;

/** A batch that is being read. */
interface Batch {
  readonly frames: FoundFrame[];
  readonly start: number;
  damaged: boolean;
}

/** Where reading begins: the oldest segment, or the place of a checkpoint. */
export interface LogStart {
  readonly segment: number;
  readonly offset: number;
}

/** The result: where the log goes on. */
export interface Recovered {
  readonly end: LogEnd;
  readonly salt: number | undefined;
  readonly segments: readonly number[];
  /** Records of jobs that were dropped with an unfinished batch: the log has to say so. */
  readonly dropped: readonly FoundFrame[];
}

/** The segments of a folder, oldest first. */
export async function listSegments(layout: Layout): Promise<number[]> {
  const names = await fs.promises.readdir(layout.folder);
  return names
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

/** The salt that the headers of these segments agree on; `undefined` without any segment. */
export async function readSalt(layout: Layout, segments: readonly number[]): Promise<number | undefined> {
  let salt: number | undefined;
  let content = false;
  for (const segment of segments) {
    const path = layout.segment(segment);
    const bytes = await readFile(path, SEGMENT_HEADER);
    salt ??= decodeHeader(bytes, segment, path);
    content ||= bytes.length === SEGMENT_HEADER;
  }
  if (salt === undefined && content) {
    throw corrupt(`${layout.folder} has files named like a log of @pq/file that are none`);
  }
  return salt;
}

/** Reads the log and replays it. */
export class Recovery {
  readonly #layout: Layout;
  readonly #knowledge: Knowledge;
  readonly #damage: Damage;
  readonly #salt: number;
  readonly #doubtful: Batch[] = [];
  #batch: Batch | undefined;
  #group = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #segment = 0;

  constructor(layout: Layout, knowledge: Knowledge, damage: Damage, salt: number) {
    this.#layout = layout;
    this.#knowledge = knowledge;
    this.#damage = damage;
    this.#salt = salt;
  }

  /** Replay these segments from the start on. `group`: the last group number before it. */
  async run(segments: readonly number[], start: LogStart, group: number): Promise<Omit<Recovered, "salt">> {
    this.#group = group;
    let size = 0;
    const replayed = segments.filter((segment) => segment >= start.segment);
    for (const [index, segment] of replayed.entries()) {
      const before = replayed[index - 1] ?? segment - 1;
      if (before !== segment - 1) {
        this.#damage.report("segments of the log are missing", this.#layout.segment(before + 1));
      }
      const from = segment === start.segment ? start.offset : SEGMENT_HEADER;
      size = await this.#replaySegment(segment, from, index === replayed.length - 1);
    }
    return {
      segments,
      end: { segment: replayed.at(-1) ?? 0, size, group: this.#group },
      dropped: this.#doubtful.flatMap(({ frames }) => frames.filter(({ type }) => type === JOB)),
    };
  }

  /** Returns the size of what is good. */
  async #replaySegment(segment: number, from: number, last: boolean): Promise<number> {
    this.#bytes = await readFile(this.#layout.segment(segment));
    this.#segment = segment;
    const cursor = new FrameCursor(this.#bytes, segmentSeed(this.#salt, segment));
    let at = from;
    let pause = at + SLICE;
    while (at < this.#bytes.length) {
      if (at >= pause) {
        await giveWay();
        pause = at + SLICE;
      }
      if (cursor.check(at) === "frame") {
        this.#frame(cursor, at);
        at = cursor.end;
        continue;
      }
      const next = await cursor.nextFrame(at + 1);
      if (next >= this.#bytes.length) {
        if (last) return this.#cutTail(cursor, at);
        await this.#putAside(at, this.#bytes.length);
        break;
      }
      await this.#putAside(at, next);
      at = next;
    }
    if (!last) this.#endBatch(true);
    else if (this.#batch !== undefined) return this.#cutTail(cursor, at);
    return Math.max(at, SEGMENT_HEADER);
  }

  #frame(cursor: FrameCursor, at: number): void {
    const { type, flags, group, bodyStart, end } = cursor;
    if (group !== this.#group) {
      this.#group = group;
      this.#endBatch(true);
      for (const batch of this.#doubtful.splice(0)) this.#replay(batch);
    }
    if ((flags & FIRST) !== 0) this.#endBatch(true);
    this.#batch ??= { frames: [], start: at, damaged: (flags & FIRST) === 0 };
    this.#batch.frames.push({
      type,
      bytes: this.#bytes,
      start: bodyStart,
      end,
      segment: this.#segment,
      offset: at,
      size: end - at,
    });
    if ((flags & MORE) === 0) this.#endBatch(false);
  }

  /** `broken`: its last frame is missing. */
  #endBatch(broken: boolean): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    if (broken || batch.damaged) this.#doubtful.push(batch);
    else this.#replay(batch);
  }

  #replay(batch: Batch): void {
    for (const frame of batch.frames) this.#knowledge.replay(frame);
  }

  async #putAside(from: number, to: number): Promise<void> {
    if (this.#batch !== undefined) this.#batch.damaged = true;
    await this.#damage.putAside(
      { segment: this.#segment, offset: from },
      this.#bytes.subarray(from, to),
      `${to - from} damaged bytes of the log were put aside`,
    );
  }

  /** The log ends with an unfinished batch or something that is no frame: cut it off. Returns the size of the rest. */
  async #cutTail(cursor: FrameCursor, at: number): Promise<number> {
    const bytes = this.#bytes;
    const from = this.#batch?.start ?? at;
    this.#batch = undefined;
    const tail = bytes.subarray(at);
    const what = at >= bytes.length ? "short" : cursor.check(at);
    if (what === "damaged" || (tail.length > 0 && what !== "short" && tail.some((byte) => byte !== 0))) {
      await this.#damage.putAside(
        { segment: this.#segment, offset: at },
        tail,
        "the end of the log was no record: damage, or an unfinished write",
      );
    }
    if (from >= bytes.length) return from;
    const fd = await openFile(this.#layout.segment(this.#segment), "r+");
    try {
      await truncate(fd, from);
      await syncData(fd);
    } finally {
      await closeFile(fd);
    }
    return from;
  }
}

/**
 * Remove what a crash left of a segment that was just being started: a file that ends inside its header, or has a size but no content
 * yet, since a power failure may keep the one without the other.
 */
export async function dropUnstarted(layout: Layout, segments: number[], damage: Damage): Promise<void> {
  const last = segments.at(-1);
  if (last === undefined) return;
  let bytes = await readFile(layout.segment(last), SEGMENT_HEADER);
  if (bytes.length === SEGMENT_HEADER) {
    if (!isBlank(bytes)) return;
    bytes = await readFile(layout.segment(last));
    if (!isBlank(bytes)) return;
  }
  segments.pop();
  const begun = SEGMENT_MAGIC.startsWith(bytes.toString("latin1", 0, SEGMENT_MAGIC.length)) || isBlank(bytes);
  if (!begun) await damage.putAside({ segment: last, offset: 0 }, bytes, "a segment ended inside its header");
  await fs.promises.rm(layout.segment(last));
  await syncFolder(layout.folder);
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
