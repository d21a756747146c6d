/** Little-endian numbers, bytes and texts into and out of a buffer. */

/** A buffer that grows as it is written to. */
export class ByteWriter {
  #bytes: Buffer;
  #view: DataView;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** How much was written. */
  get length(): number {
    return this.#length;
  }

  /** What was written; valid until more is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Drop what was written, keep the memory. */
  clear(): void {
    this.#length = 0;
  }

  /** Drop what was written from `length` on. */
  cut(length: number): void {
    this.#length = length;
  }

  u8(value: number): void {
    const at = this.#advance(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#advance(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#advance(4);
    this.#view.setUint32(at, value, true);
  }

  f64(value: number): void {
    const at = this.#advance(8);
    this.#view.setFloat64(at, value, true);
  }

  /** Overwrite a number that was written before. */
  u32At(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  bytes(value: Uint8Array): void {
    const at = this.#advance(value.length);
    this.#bytes.set(value, at);
  }

  /** A text of at most 2^32-1 bytes, after its length. */
  text(value: string): void {
    const at = this.#advance(4 + value.length * 3);
    const size = this.#bytes.write(value, at + 4, "utf8");
    this.#view.setUint32(at, size, true);
    this.#length = at + 4 + size;
  }

  /** Bytes after their length. */
  blob(value: Uint8Array): void {
    this.u32(value.length);
    this.bytes(value);
  }

  /** 16 bytes, as four words. */
  words(words: Int32Array, from = 0): void {
    const at = this.#advance(16);
    for (let i = 0; i < 4; i++) this.#view.setInt32(at + i * 4, words[from + i]!, false);
  }

  #advance(size: number): number {
    const at = this.#length;
    this.#length = at + size;
    if (this.#length > this.#bytes.length) this.#grow();
    return at;
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Reads what a `ByteWriter` wrote. Throws a `RangeError` beyond the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, from = 0, to: number = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = from;
    this.end = to;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  /** A copy of the next bytes. */
  bytes(size: number): Buffer {
    const at = this.#advance(size);
    return Buffer.from(this.#bytes.subarray(at, at + size));
  }

  text(): string {
    return this.textOf(this.u32());
  }

  textOf(size: number): string {
    const at = this.#advance(size);
    return this.#bytes.toString("utf8", at, at + size);
  }

  blob(): Buffer {
    return this.bytes(this.u32());
  }

  words(into: Int32Array, to = 0): void {
    const at = this.#advance(16);
    for (let i = 0; i < 4; i++) into[to + i] = this.#view.getInt32(at + i * 4, false);
  }

  skip(size: number): void {
    this.#advance(size);
  }

  #advance(size: number): number {
    const at = this.at;
    if (at + size > this.end) throw new RangeError("a record ends before its content");
    this.at = at + size;
    return at;
  }
}
