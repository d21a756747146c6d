/**
 * Every name and fixed number of a store on disk.
 *
 *     <folder>/lock               held by the owner through the kernel; its text is the owner's pid
 *     <folder>/000000000001.log   a segment of the log; the numbers rise, the oldest are dropped first
 *     <folder>/checkpoint         the index as it was at one place of the log; only makes opening quick
 *     <folder>/checkpoint.new     a checkpoint being written
 *     <folder>/reserve            space kept for settlements when the disk is full
 *     <folder>/damaged/           bytes that could not be understood, put aside, named <segment>-<offset>
 *
 * One log serves all queues of the folder: whatever gathers meanwhile, of whichever queue, goes to disk with one write
 * and one sync. A log for each queue would need a sync for each.
 */
import { join } from "node:path";

/** The version of everything stored here. A newer one is refused. */
export const FORMAT_VERSION = 1;

/** Bytes at the start of each segment, before its first frame: two copies of the header. */
export const SEGMENT_HEADER = 64;
/** Bytes of one copy of the header. */
export const HEADER_COPY = 32;
/** The first bytes of a segment, and of a checkpoint. */
export const SEGMENT_MAGIC = "@pq/log\n";
export const CHECKPOINT_MAGIC = "@pq/cp1\n";

const SEGMENT_NAME = /^(\d{12})\.log$/;

/** The files of one folder. */
export class Layout {
  readonly folder: string;
  readonly lock: string;
  readonly checkpoint: string;
  readonly newCheckpoint: string;
  readonly reserve: string;
  readonly damaged: string;

  constructor(folder: string) {
    this.folder = folder;
    this.lock = join(folder, "lock");
    this.checkpoint = join(folder, "checkpoint");
    this.newCheckpoint = join(folder, "checkpoint.new");
    this.reserve = join(folder, "reserve");
    this.damaged = join(folder, "damaged");
  }

  /** The file of a segment. */
  segment(number: number): string {
    return join(this.folder, `${String(number).padStart(12, "0")}.log`);
  }

  /** Where damaged bytes of a segment go. */
  damagedPart(segment: number, offset: number): string {
    return join(this.damaged, `${segment}-${offset}`);
  }
}

/** The segment's number in this file name, or `undefined` for another file. */
export function segmentNumber(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
