/**
 * A sorted list of slots: 4 bytes an entry. It holds no keys: the comparison looks at the table and side maps, so
 * whatever it looks at must not change while the slot is in the list.
 *
 * The entries are in chunks of up to 512. Adding at the end and removing at the front, which is what a FIFO queue
 * does, touches one chunk and compares once; everything else finds its chunk by bisection.
 */

const LARGEST = 512;
const SMALLEST = 4;

/** Negative: `a` comes first. 0 only for the same slot. */
export type Compare = (a: number, b: number) => number;

/** The entries `[from, to)` of `slots` are in use. */
interface Chunk {
  slots: Uint32Array;
  from: number;
  to: number;
}

/** A sorted list of slots. */
export class SlotList {
  readonly #chunks: Chunk[] = [];
  readonly #compare: Compare;
  #size = 0;

  constructor(compare: Compare) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  /** The first slot, or -1. */
  first(): number {
    const chunk = this.#chunks[0];
    return chunk === undefined ? -1 : chunk.slots[chunk.from]!;
  }

  add(slot: number): void {
    this.#size++;
    const last = this.#chunks.at(-1);
    if (last === undefined) {
      this.#chunks.push(chunkOf(slot));
    } else if (this.#compare(last.slots[last.to - 1]!, slot) < 0) {
      this.#append(last, slot);
    } else {
      const index = this.#chunkFor(slot);
      this.#insert(
        index,
        this.#lowerBound(this.#chunks[index]!, (other) => this.#compare(other, slot)),
        slot,
      );
    }
  }

  /** Take out a slot that is in the list. */
  remove(slot: number): void {
    const first = this.#chunks[0];
    const inFirst = first !== undefined && first.slots[first.from] === slot;
    const index = inFirst ? 0 : this.#chunkFor(slot);
    const chunk = this.#chunks[index];
    const at =
      inFirst || chunk === undefined
        ? (first?.from ?? 0)
        : this.#lowerBound(chunk, (other) => this.#compare(other, slot));
    if (chunk === undefined || chunk.slots[at] !== slot || at >= chunk.to) {
      throw new Error("a job is not in the list where it belongs");
    }
    this.#size--;
    if (at === chunk.from) chunk.from++;
    else chunk.slots.copyWithin(at, at + 1, chunk.to--);
    if (chunk.from === chunk.to) this.#chunks.splice(index, 1);
  }

  /** The slots in order, from the first one on for which `probe` is positive (it must be so for all that follow). The list must not change meanwhile. */
  *from(probe: (slot: number) => number): Generator<number, void> {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle]!;
      if (probe(chunk.slots[chunk.to - 1]!) > 0) high = middle;
      else low = middle + 1;
    }
    for (let index = low; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index]!;
      const start = index === low ? this.#lowerBound(chunk, (slot) => (probe(slot) > 0 ? 0 : -1)) : chunk.from;
      for (let at = start; at < chunk.to; at++) yield chunk.slots[at]!;
    }
  }

  /** All slots in order. The list must not change meanwhile. */
  [Symbol.iterator](): Generator<number, void> {
    return this.from(() => 1);
  }

  #append(last: Chunk, slot: number): void {
    if (last.to < last.slots.length) last.slots[last.to++] = slot;
    else if (last.to - last.from < LARGEST) {
      makeRoom(last);
      last.slots[last.to++] = slot;
    } else this.#chunks.push(chunkOf(slot));
  }

  /** The chunk that holds the slot, or would. */
  #chunkFor(slot: number): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle]!;
      if (this.#compare(chunk.slots[chunk.to - 1]!, slot) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first place in the chunk at which `order` is not negative. */
  #lowerBound(chunk: Chunk, order: (slot: number) => number): number {
    let low = chunk.from;
    let high = chunk.to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order(chunk.slots[middle]!) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(index: number, at: number, slot: number): void {
    const chunk = this.#chunks[index]!;
    let place = at;
    if (chunk.to === chunk.slots.length) {
      if (chunk.to - chunk.from >= LARGEST) {
        const middle = (chunk.from + chunk.to) >>> 1;
        const half = { slots: chunk.slots.slice(middle, chunk.to), from: 0, to: chunk.to - middle };
        chunk.to = middle;
        this.#chunks.splice(index + 1, 0, half);
        if (place > middle) {
          this.#insert(index + 1, place - middle, slot);
          return;
        }
      } else place -= makeRoom(chunk);
    }
    chunk.slots.copyWithin(place + 1, place, chunk.to++);
    chunk.slots[place] = slot;
  }
}

function chunkOf(slot: number): Chunk {
  const slots = new Uint32Array(SMALLEST);
  slots[0] = slot;
  return { slots, from: 0, to: 1 };
}

/** Room for one more at the end: move the entries to the front, or into a larger array. Returns how far they moved. */
function makeRoom(chunk: Chunk): number {
  const moved = chunk.from;
  const used = chunk.to - chunk.from;
  if (used * 2 > chunk.slots.length) {
    const larger = new Uint32Array(Math.min(LARGEST, chunk.slots.length * 2));
    larger.set(chunk.slots.subarray(chunk.from, chunk.to));
    chunk.slots = larger;
  } else chunk.slots.copyWithin(0, chunk.from, chunk.to);
  chunk.from = 0;
  chunk.to = used;
  return moved;
}
