/**
 * Drops segments, always the oldest first.
 *
 * That order is what makes dropping safe: a record that ends a job (an ack) stands in the segment of the job's record or in a later
 * one. When a segment goes, all before it are gone, so no record can outlive the one that ended it, and no job can come back.
 *
 * - A segment without a live record is removed.
 * - A segment with live jobs is emptied once the log is larger than twice of what lives, and some segments: its live jobs
 *   are written again, with what has become of them, at the end of the log, like any other entry. When that is on
 *   disk, the segment is removed. So a byte is moved about once for each byte written, however long the jobs stay, and
 *   a queue that is drained in its order moves nothing.
 *
 * The last segment but one is kept even when it is dead: it remembers the requests of recent calls. A segment with damage is not
 * removed but moved to the side files.
 */
import fs from "node:fs";
import { join } from "node:path";
import { ByteReader, giveWay, PENDING, type QueueState } from "@pq/core/state";
import type { Damage } from "./damage.ts";
import { readFile, syncFolder } from "./files.ts";
import { FIRST, FrameCursor, segmentSeed } from "./frame.ts";
import { type JobRecord, readJob, writeJob } from "./job-record.ts";
import { type Layout, SEGMENT_HEADER } from "./layout.ts";
import type { Log } from "./log.ts";
import { JOB } from "./records.ts";
import type { Knowledge } from "./replay.ts";
import type { SegmentFiles } from "./segment-files.ts";

/** Bytes looked at between two pauses, and bytes moved with one entry. */
const SLICE = 128 * 1024;
/** Segments that the log may have beyond twice of what lives. */
const SLACK = 4;

/** What the tidier works with. */
export interface TidierParts {
  readonly layout: Layout;
  readonly knowledge: Knowledge;
  readonly log: Log;
  readonly files: SegmentFiles;
  readonly damage: Damage;
  readonly salt: number;
  readonly segmentBytes: number;
  /** Puts a job aside whose record is damaged. */
  readonly drop: (queue: QueueState, slot: number) => Promise<void>;
}

/** A live job of the segment, and its record there. */
interface Straggler {
  readonly queue: QueueState;
  readonly slot: number;
  readonly record: JobRecord;
  readonly payload: Buffer;
  readonly offset: number;
}

/** Where a straggler's new record stands in its group. */
interface Moved extends Straggler {
  readonly jobs: QueueState["jobs"];
  readonly at: number;
  readonly size: number;
}

/** Keeps the log short. */
export class Tidier {
  readonly #parts: TidierParts;
  /** Segments that are no longer written to, oldest first, with their sizes. */
  readonly #sealed = new Map<number, number>();
  #sealedUpTo: number;
  #sealedBytes = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: TidierParts, segments: readonly number[]) {
    this.#parts = parts;
    this.#sealedUpTo = (segments[0] ?? parts.log.segment) - 1;
  }

  /** See whether there is something to do, and do it in the background. */
  poke(): void {
    if (this.#running !== undefined || this.#stopped || !this.#mayWork()) return;
    this.#running = this.#run()
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when the work in the background has come to an end. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.idle();
  }

  /** A first look that costs nothing. */
  #mayWork(): boolean {
    const { log } = this.#parts;
    if (log.segment - 1 > this.#sealedUpTo) return true;
    const oldest = this.#oldest();
    return oldest !== undefined && this.#isWorthwhile(oldest);
  }

  #oldest(): number | undefined {
    for (const segment of this.#sealed.keys()) return segment < this.#parts.log.segment - 1 ? segment : undefined;
    return undefined;
  }

  #isWorthwhile(segment: number): boolean {
    const { knowledge, log, segmentBytes } = this.#parts;
    const live = knowledge.usage.of(segment);
    if (live === 0) return true;
    if (log.full) return false;
    return this.#sealedBytes > 2 * knowledge.usage.total + SLACK * segmentBytes;
  }

  async #run(): Promise<void> {
    await this.#noteSealed();
    for (let oldest = this.#oldest(); oldest !== undefined && !this.#stopped; oldest = this.#oldest()) {
      if (!this.#isWorthwhile(oldest)) return;
      const whole = this.#parts.knowledge.usage.of(oldest) === 0 || (await this.#empty(oldest));
      if (this.#parts.knowledge.usage.of(oldest) > 0 || this.#stopped) return;
      await this.#remove(oldest, whole);
      await this.#noteSealed();
    }
  }

  /** Take note of segments that the log has left. */
  async #noteSealed(): Promise<void> {
    const { log, layout } = this.#parts;
    while (this.#sealedUpTo < log.segment - 1) {
      const segment = ++this.#sealedUpTo;
      const size = await fs.promises.stat(layout.segment(segment)).then(
        (stat) => stat.size,
        () => -1,
      );
      if (size < 0) continue;
      this.#sealed.set(segment, size);
      this.#sealedBytes += size;
    }
  }

  /** Move all live jobs out of a segment. `false`: there was damage in it. */
  async #empty(segment: number): Promise<boolean> {
    const { layout, salt } = this.#parts;
    const bytes = await readFile(layout.segment(segment));
    const cursor = new FrameCursor(bytes, segmentSeed(salt, segment));
    let stragglers: Straggler[] = [];
    let whole = true;
    let gathered = 0;
    let at = SEGMENT_HEADER;
    for (let pause = SLICE; at < bytes.length && !this.#stopped;) {
      if (at > pause) {
        await giveWay();
        pause = at + SLICE;
      }
      if (cursor.check(at) !== "frame") {
        whole = false;
        at = await cursor.nextFrame(at + 1);
        continue;
      }
      const straggler = cursor.type === JOB ? this.#straggler(cursor, segment, at) : undefined;
      if (straggler !== undefined) {
        stragglers.push(straggler);
        gathered += cursor.end - at;
      }
      at = cursor.end;
      if (gathered < SLICE) continue;
      if (!(await this.#move(stragglers, segment))) return whole;
      stragglers = [];
      gathered = 0;
    }
    if (this.#stopped || !(await this.#move(stragglers, segment))) return whole;
    if (this.#parts.knowledge.usage.of(segment) > 0) await this.#dropUnreadable(segment);
    return whole;
  }

  /** The live job whose record this is, if it is. */
  #straggler(cursor: FrameCursor, segment: number, offset: number): Straggler | undefined {
    const input = new ByteReader(cursor.bytes, cursor.bodyStart, cursor.end);
    const record = readJob(input);
    const queue = this.#parts.knowledge.queues.get(record.name);
    const slot = queue?.jobs.find(record.facts.words) ?? -1;
    if (queue === undefined || slot < 0 || !standsAt(queue, slot, segment, offset)) return undefined;
    return { queue, slot, record, payload: cursor.bytes.subarray(input.at, cursor.end), offset };
  }

  /** Write jobs again at the end of the log. `false`: the log did not take them. */
  #move(stragglers: readonly Straggler[], segment: number): Promise<boolean> {
    if (stragglers.length === 0) return Promise.resolve(true);
    if (this.#parts.log.broken) return Promise.resolve(false);
    const moved: Moved[] = [];
    return new Promise((resolve) => {
      const done = (to: number, base: number): void => {
        for (const { queue, jobs, slot, record, offset, at, size } of moved) {
          const there =
            jobs === queue.jobs && jobs.find(record.facts.words) === slot && standsAt(queue, slot, segment, offset);
          if (there) jobs.locate(slot, to, base + at, size);
        }
        resolve(true);
      };
      this.#parts.log.append({ shed: true, done, failed: () => resolve(false) }, (frames) => {
        for (const straggler of stragglers) {
          const { queue, slot, record, payload, offset } = straggler;
          if (queue.jobs.find(record.facts.words) !== slot || !standsAt(queue, slot, segment, offset)) continue;
          const at = frames.begin(JOB, FIRST);
          const { time, sequence, moved: now } = queue.jobs.snapshot(slot);
          const facts = { ...record.facts, time, sequence };
          writeJob(frames.out, { ...record, queue: queue.number, facts, moved: now }, queue.nameBytes);
          frames.out.bytes(payload);
          moved.push({ ...straggler, jobs: queue.jobs, at, size: frames.end() });
        }
      });
    });
  }

  /** Jobs that still live in a segment which was read to its end: their records are damaged. */
  async #dropUnreadable(segment: number): Promise<void> {
    for (const queue of this.#parts.knowledge.queues.values()) {
      for (let slot = 0; slot < queue.jobs.table.limit && queue.jobs.usage.of(segment) > 0; slot++) {
        if (slot % 8192 === 0) await giveWay();
        if (queue.jobs.table.state(slot) > PENDING && queue.jobs.table.piece(slot) === segment) {
          await this.#parts.drop(queue, slot);
        }
      }
    }
  }

  /** What emptied the segment may still be on its way: the file goes when that is on disk, or else never. */
  async #remove(segment: number, whole: boolean): Promise<void> {
    const { layout, log, files, damage } = this.#parts;
    await log.barrier();
    await log.sync();
    await files.drop(segment);
    const path = layout.segment(segment);
    if (whole) await fs.promises.rm(path, { force: true });
    else {
      await fs.promises.mkdir(layout.damaged, { recursive: true, mode: 0o700 });
      const aside = join(layout.damaged, `${segment}.log`);
      await fs.promises.rename(path, aside);
      await syncFolder(layout.damaged);
      damage.report("a segment with damage was put aside once all else in it had been moved", aside);
    }
    await syncFolder(layout.folder);
    this.#sealedBytes -= this.#sealed.get(segment) ?? 0;
    this.#sealed.delete(segment);
  }
}

function standsAt({ jobs: { table } }: QueueState, slot: number, segment: number, offset: number): boolean {
  return table.piece(slot) === segment && table.offset(slot) === offset && table.state(slot) > PENDING;
}
