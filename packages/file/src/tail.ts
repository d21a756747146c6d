/** The last bytes written to the log, kept so that jobs taken soon after their put need no read. */
export class Tail {
  readonly #window: Buffer;
  #segment = -1;
  /** The window holds the bytes `[#from, #to)` of the segment. */
  #from = 0;
  #to = 0;

  constructor(size: number) {
    this.#window = Buffer.allocUnsafeSlow(size);
  }

  /** Bytes that were written at this place. */
  add(segment: number, offset: number, bytes: Buffer): void {
    const size = this.#window.length;
    const kept = bytes.subarray(Math.max(0, bytes.length - size));
    const start = offset + bytes.length - kept.length;
    if (segment !== this.#segment || start !== this.#to) this.#from = this.#to = start;
    this.#segment = segment;
    if (this.#to - this.#from + kept.length > size) {
      this.#slide(Math.max(this.#to + kept.length - size, this.#to - (size >>> 1)));
    }
    this.#window.set(kept, this.#to - this.#from);
    this.#to += kept.length;
  }

  /** The bytes at this place, if they are here; good until the next `add`. */
  get(segment: number, offset: number, size: number): Buffer | undefined {
    if (segment !== this.#segment || offset < this.#from || offset + size > this.#to) return undefined;
    return this.#window.subarray(offset - this.#from, offset - this.#from + size);
  }

  #slide(from: number): void {
    this.#window.copyWithin(0, from - this.#from, this.#to - this.#from);
    this.#from = from;
  }
}
