/**
 * From id to slot: open addressing with linear probing, in 1,024 parts that grow one at a time, so that no
 * call pays for growing the whole. Ids themselves stay in the job table.
 */
import type { JobTable } from "./job-table.ts";

const PARTS = 1024;
const SMALLEST = 8;

function hash(words: Int32Array): number {
  let h = Math.imul(words[3]! ^ Math.imul(words[2]!, 0x85ebca6b), 0xc2b2ae35) ^ words[1]! ^ Math.imul(words[0]!, 31);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}

/** One part: `slot + 1` at each used place. */
interface Part {
  slots: Uint32Array;
  used: number;
}

/** Finds jobs by their ids. */
export class IdIndex {
  readonly #table: JobTable;
  readonly #parts: (Part | undefined)[] = [];
  readonly #scratch = new Int32Array(4);

  constructor(table: JobTable) {
    this.#table = table;
  }

  /** The slot of this id, or -1. */
  find(words: Int32Array): number {
    const h = hash(words);
    const part = this.#parts[h & (PARTS - 1)];
    if (part === undefined) return -1;
    const mask = part.slots.length - 1;
    for (let at = (h >>> 10) & mask; ; at = (at + 1) & mask) {
      const entry = part.slots[at]!;
      if (entry === 0) return -1;
      if (this.#table.hasId(entry - 1, words)) return entry - 1;
    }
  }

  /** Enter a slot whose id is in the table and not yet here. */
  add(slot: number): void {
    const h = hash(this.#table.id(slot, this.#scratch));
    const part = (this.#parts[h & (PARTS - 1)] ??= { slots: new Uint32Array(SMALLEST), used: 0 });
    if ((part.used + 1) * 4 > part.slots.length * 3) this.#grow(part);
    insert(part.slots, h, slot);
    part.used++;
  }

  /** Take out a slot whose id is still in the table. */
  remove(slot: number): void {
    const h = hash(this.#table.id(slot, this.#scratch));
    const part = this.#parts[h & (PARTS - 1)];
    if (part === undefined) return;
    const { slots } = part;
    const mask = slots.length - 1;
    let hole = (h >>> 10) & mask;
    while (slots[hole] !== slot + 1) {
      if (slots[hole] === 0) return;
      hole = (hole + 1) & mask;
    }
    part.used--;
    this.#close(slots, hole);
  }

  /** Close a hole: move back what probing would no longer reach across it. */
  #close(slots: Uint32Array, start: number): void {
    const mask = slots.length - 1;
    let hole = start;
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = (hash(this.#table.id(slots[at]! - 1, this.#scratch)) >>> 10) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at]!;
      hole = at;
    }
    slots[hole] = 0;
  }

  #grow(part: Part): void {
    const larger = new Uint32Array(part.slots.length * 2);
    for (const entry of part.slots) {
      if (entry !== 0) insert(larger, hash(this.#table.id(entry - 1, this.#scratch)), entry - 1);
    }
    part.slots = larger;
  }
}

function insert(slots: Uint32Array, h: number, slot: number): void {
  const mask = slots.length - 1;
  let at = (h >>> 10) & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = slot + 1;
}
