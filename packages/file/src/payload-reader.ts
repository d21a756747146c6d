/**
 * Reads jobs back from the log. Places that stand close together are read at once, in the order of the file: a FIFO
 * queue that is drained in batches reads its log from front to end. What was written a moment ago comes from memory.
 */
import { ByteReader } from "@pq/core/state";
import { systemCode, unavailable } from "./errors.ts";
import { readAll } from "./files.ts";
import { FrameCursor, segmentSeed } from "./frame.ts";
import { type JobRecord, readJob } from "./job-record.ts";
import { JOB } from "./records.ts";
import type { SegmentFiles } from "./segment-files.ts";
import type { Tail } from "./tail.ts";

/** Bytes between two jobs that are rather read than skipped, and the most that one read takes. */
const GAP = 16 * 1024;
const LARGEST_READ = 1024 * 1024;

/** Where a job's record stands. */
export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
  readonly size: number;
}

/** The system cannot read there, now or for ever: what stands there may be whole. */
export const UNREADABLE: unique symbol = Symbol("unreadable");
export type Unreadable = typeof UNREADABLE;

/** A job as it stands in the log. */
export interface LoggedJob {
  readonly record: JobRecord;
  readonly payload: Buffer;
}

/** Reads jobs by their places. */
export class PayloadReader {
  readonly #files: SegmentFiles;
  readonly #tail: Tail;
  readonly #salt: number;

  constructor(files: SegmentFiles, tail: Tail, salt: number) {
    this.#files = files;
    this.#tail = tail;
    this.#salt = salt;
  }

  /** The jobs at these places; `undefined` where no whole record of a job stands. */
  async read(places: readonly LogPlace[]): Promise<(LoggedJob | Unreadable | undefined)[]> {
    const found: (LoggedJob | Unreadable | undefined)[] = places.map(() => undefined);
    const missing: number[] = [];
    places.forEach((place, index) => {
      const bytes = this.#tail.get(place.segment, place.offset, place.size);
      if (bytes === undefined) missing.push(index);
      else found[index] = decode(bytes, place.offset, segmentSeed(this.#salt, place.segment));
    });
    for (const run of runs(places, missing)) await this.#readRun(places, run, found);
    return found;
  }

  /** The bytes that stand there, whatever they are; none when the file is gone. */
  async readRaw({ segment, offset, size }: LogPlace): Promise<Buffer | Unreadable> {
    return (await this.#readRange(segment, offset, size)) ?? Buffer.alloc(0);
  }

  async #readRun(
    places: readonly LogPlace[],
    run: readonly number[],
    found: (LoggedJob | Unreadable | undefined)[],
  ): Promise<void> {
    const first = places[run[0]!]!;
    const last = places[run.at(-1)!]!;
    const bytes = await this.#readRange(first.segment, first.offset, last.offset + last.size - first.offset);
    if (!Buffer.isBuffer(bytes) && run.length > 1) {
      for (const index of run) await this.#readRun(places, [index], found);
      return;
    }
    const seed = segmentSeed(this.#salt, first.segment);
    for (const index of run) {
      const { offset, size } = places[index]!;
      const at = offset - first.offset;
      found[index] = Buffer.isBuffer(bytes) ? decode(bytes.subarray(at, at + size), offset, seed) : bytes;
    }
  }

  /** `undefined` when the file is gone. */
  async #readRange(segment: number, offset: number, size: number): Promise<Buffer | Unreadable | undefined> {
    const bytes = Buffer.allocUnsafe(size);
    try {
      const read = await this.#files.use(segment, (fd) => readAll(fd, bytes, offset));
      return bytes.subarray(0, read);
    } catch (error) {
      // The file is gone with its jobs. A bad block concerns these jobs alone, and may be a disk that is away for a while. Anything else
      // says nothing about the jobs.
      if (systemCode(error) === "ENOENT") return undefined;
      if (systemCode(error) === "EIO") return UNREADABLE;
      throw unavailable("reading the store failed", error);
    }
  }
}

function decode(bytes: Buffer, offset: number, seed: number): LoggedJob | undefined {
  const cursor = new FrameCursor(bytes, seed, offset);
  if (cursor.check(0) !== "frame" || cursor.type !== JOB) return undefined;
  const input = new ByteReader(bytes, cursor.bodyStart, cursor.end);
  const record = readJob(input);
  return { record, payload: input.bytes(cursor.end - input.at) };
}

/** Indexes into `places` in the order of the log, in runs that one read takes. */
function runs(places: readonly LogPlace[], indexes: number[]): number[][] {
  const result: number[][] = [];
  indexes.sort((a, b) => places[a]!.segment - places[b]!.segment || places[a]!.offset - places[b]!.offset);
  let start: LogPlace | undefined;
  let end = 0;
  for (const index of indexes) {
    const place = places[index]!;
    const near = start?.segment === place.segment && place.offset - end <= GAP;
    if (start !== undefined && near && place.offset + place.size - start.offset <= LARGEST_READ) {
      result.at(-1)!.push(index);
    } else {
      result.push([index]);
      start = place;
    }
    end = place.offset + place.size;
  }
  return result;
}
