/** Writing and reading bytes one after the other. Numbers are big-endian. */
import { type JobId, PqError, readJobId, writeJobId } from "@pq/core/backend";

/** Bytes that grow as they are written. */
export class Writer {
  #bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  u8(value: number): void {
    this.#room(1);
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  u16(value: number): void {
    this.#room(2);
    this.#at = this.#bytes.writeUInt16BE(value, this.#at);
  }

  u32(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeUInt32BE(value, this.#at);
  }

  i32(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
  }

  /** Any number, such as a time. */
  f64(value: number): void {
    this.#room(8);
    this.#at = this.#bytes.writeDoubleBE(value, this.#at);
  }

  hex(value: string): void {
    this.#room(value.length / 2);
    this.#at += this.#bytes.write(value, this.#at, "hex");
  }

  id(value: JobId): void {
    this.#room(16);
    writeJobId(value, this.#bytes, this.#at);
    this.#at += 16;
  }

  /** Up to 65,535 bytes of text. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.u16(length);
    this.#room(length);
    this.#at += this.#bytes.write(value, this.#at);
  }

  raw(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** All that was written. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + size));
    this.#bytes.copy(larger);
    this.#bytes = larger;
  }
}

/** Reads what a Writer wrote. Throws `CORRUPT` at the end of the bytes. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes[this.#next(1)]!;
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#next(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#next(4));
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#next(4));
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#next(8));
  }

  hex(length: number): string {
    return this.raw(length).toString("hex");
  }

  id(): JobId {
    return readJobId(this.#bytes, this.#next(16));
  }

  text(): string {
    return this.raw(this.u16()).toString("utf8");
  }

  /** A view of these bytes. */
  raw(length: number): Buffer {
    const at = this.#next(length);
    return this.#bytes.subarray(at, at + length);
  }

  #next(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new PqError("CORRUPT", "a page ends before its jobs do");
    this.#at += length;
    return at;
  }
}
