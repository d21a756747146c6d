/**
 * What is known of every job, in columns: 50 bytes for each, without an object per job.
 * A slot is a number; slots of gone jobs are used again. The columns come in pages, so that growing copies nothing.
 */
import type { JobState } from "../job.ts";

const PAGE_BITS = 13;
const PAGE = 1 << PAGE_BITS;
const MASK = PAGE - 1;

/** States as numbers. PENDING: its put is on its way to disk, and nobody may see it yet. */
export const FREE = 0;
export const PENDING = 1;
export const READY = 2;
export const DELAYED = 3;
export const LEASED = 4;
export const BURIED = 5;
export const DONE = 6;

/** The names of the states, by their numbers. */
export const STATE_NAMES: readonly (JobState | undefined)[] = [
  undefined,
  undefined,
  "ready",
  "delayed",
  "leased",
  "buried",
  "done",
];

/** Before all that are not, the newest first. */
export const URGENT = 1;
/** Delivered before and given back: before the fresh ones of its priority. */
export const RETURNED = 2;
/** Has a place: was ready before, or is. */
export const PLACED = 4;
/** Has an entry in the side map of extras. */
export const EXTRA = 8;

/** The columns of up to `PAGE` jobs. */
class Page {
  readonly ids = new Int32Array(PAGE * 4);
  readonly piece = new Uint32Array(PAGE);
  readonly offset = new Uint32Array(PAGE);
  readonly size = new Uint32Array(PAGE);
  readonly time = new Float64Array(PAGE);
  readonly sequence = new Uint32Array(PAGE);
  readonly priority = new Int32Array(PAGE);
  readonly attempt = new Uint32Array(PAGE);
  readonly state = new Uint8Array(PAGE);
  readonly flags = new Uint8Array(PAGE);
}

/** The columns of all jobs of a queue. */
export class JobTable {
  readonly #pages: Page[] = [];
  /** Slots that are free again: a list linked through `sequence`, -1 at its end. */
  #free = -1;
  #used = 0;
  #count = 0;

  /** Jobs in the table. */
  get count(): number {
    return this.#count;
  }

  /** Slots are below this. */
  get limit(): number {
    return this.#used;
  }

  /** A slot for a new job, PENDING, everything else 0. */
  allocate(): number {
    this.#count++;
    let slot = this.#free;
    if (slot >= 0) {
      this.#free = this.#page(slot).sequence[slot & MASK]! - 1;
    } else {
      slot = this.#used++;
      if ((slot & MASK) === 0) this.#pages.push(new Page());
    }
    const page = this.#page(slot);
    const at = slot & MASK;
    page.piece[at] = page.offset[at] = page.size[at] = page.time[at] = page.sequence[at] = 0;
    page.priority[at] = page.attempt[at] = page.flags[at] = 0;
    page.state[at] = PENDING;
    return slot;
  }

  /** Give a slot back. */
  release(slot: number): void {
    const page = this.#page(slot);
    page.state[slot & MASK] = FREE;
    page.sequence[slot & MASK] = this.#free + 1;
    this.#free = slot;
    this.#count--;
  }

  setId(slot: number, words: Int32Array, from = 0): void {
    const { ids } = this.#page(slot);
    const at = (slot & MASK) * 4;
    ids[at] = words[from]!;
    ids[at + 1] = words[from + 1]!;
    ids[at + 2] = words[from + 2]!;
    ids[at + 3] = words[from + 3]!;
  }

  hasId(slot: number, words: Int32Array): boolean {
    const { ids } = this.#page(slot);
    const at = (slot & MASK) * 4;
    return ids[at + 3] === words[3] && ids[at + 2] === words[2] && ids[at + 1] === words[1] && ids[at] === words[0];
  }

  /** The id's words, in an array that is only good until the next page is read. */
  id(slot: number, words: Int32Array): Int32Array {
    const { ids } = this.#page(slot);
    const at = (slot & MASK) * 4;
    words[0] = ids[at]!;
    words[1] = ids[at + 1]!;
    words[2] = ids[at + 2]!;
    words[3] = ids[at + 3]!;
    return words;
  }

  /** Where the job's record stands: the piece of the store, such as a segment of a log … */
  piece(slot: number): number {
    return this.#page(slot).piece[slot & MASK]!;
  }

  /** … the offset in it … */
  offset(slot: number): number {
    return this.#page(slot).offset[slot & MASK]!;
  }

  /** … and its bytes. */
  size(slot: number): number {
    return this.#page(slot).size[slot & MASK]!;
  }

  setLocation(slot: number, piece: number, offset: number, size: number): void {
    const page = this.#page(slot);
    page.piece[slot & MASK] = piece;
    page.offset[slot & MASK] = offset;
    page.size[slot & MASK] = size;
  }

  /** The position: a time, then a sequence number among equal times. */
  time(slot: number): number {
    return this.#page(slot).time[slot & MASK]!;
  }

  sequence(slot: number): number {
    return this.#page(slot).sequence[slot & MASK]!;
  }

  setPosition(slot: number, time: number, sequence: number): void {
    const page = this.#page(slot);
    page.time[slot & MASK] = time;
    page.sequence[slot & MASK] = sequence;
  }

  priority(slot: number): number {
    return this.#page(slot).priority[slot & MASK]!;
  }

  setPriority(slot: number, priority: number): void {
    this.#page(slot).priority[slot & MASK] = priority;
  }

  attempt(slot: number): number {
    return this.#page(slot).attempt[slot & MASK]!;
  }

  setAttempt(slot: number, attempt: number): void {
    this.#page(slot).attempt[slot & MASK] = attempt;
  }

  state(slot: number): number {
    return this.#page(slot).state[slot & MASK]!;
  }

  setState(slot: number, state: number): void {
    this.#page(slot).state[slot & MASK] = state;
  }

  flags(slot: number): number {
    return this.#page(slot).flags[slot & MASK]!;
  }

  has(slot: number, flag: number): boolean {
    return (this.#page(slot).flags[slot & MASK]! & flag) !== 0;
  }

  setFlag(slot: number, flag: number, on: boolean): void {
    const { flags } = this.#page(slot);
    const at = slot & MASK;
    flags[at] = on ? flags[at]! | flag : flags[at]! & ~flag;
  }

  #page(slot: number): Page {
    return this.#pages[slot >>> PAGE_BITS]!;
  }
}
