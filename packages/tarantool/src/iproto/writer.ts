/**
 * Writes requests as MessagePack. They go one after the other into slabs of memory, from which they are sent as they lie: what was handed out
 * is never written to again, as a tunnel may hold it for long. A slab that is full is followed by another, so nothing moves when a request grows.
 */
import { MAX_DEPTH, type Sendable } from "./value.ts";

const SLAB = 64 * 1024;
/** Bytes of at least this length are sent from where they are. */
const LONG = 16 * 1024;
/** Up to here, a loop is faster than a call into the runtime. */
const SHORT = 40;
/** The length of a packet, always in the same form, since it is known last. */
const PREFIX = 5;

/** Where a request began. */
interface Mark {
  readonly slab: Buffer;
  readonly start: number;
  readonly at: number;
  readonly pieces: number;
  readonly cut: number;
}

/** Requests that wait to be sent. */
export class Writer {
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB);
  /** What is before it was handed out or is among the pieces. */
  #start = 0;
  #at = 0;
  #pieces: Uint8Array[] = [];
  /** How many bytes were ever made pieces. */
  #cut = 0;

  /** Nothing waits. */
  get isEmpty(): boolean {
    return this.#at === this.#start && this.#pieces.length === 0;
  }

  /** One packet, whose content `fill` writes. When that throws, it is as if nothing had been written. */
  packet(fill: (writer: Writer) => void): void {
    this.#room(PREFIX);
    const mark = { slab: this.#slab, start: this.#start, at: this.#at, pieces: this.#pieces.length, cut: this.#cut };
    this.#at += PREFIX;
    try {
      fill(this);
      const length = this.#cut - mark.cut + (this.#at - this.#start) - (mark.at - mark.start) - PREFIX;
      mark.slab[mark.at] = 0xce;
      mark.slab.writeUInt32BE(length, mark.at + 1);
    } catch (error) {
      this.#rewind(mark);
      throw error;
    }
  }

  /** What waits, as pieces that belong together. It waits no longer. */
  take(): readonly Uint8Array[] {
    this.#cutHere();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** One byte as it is. */
  byte(value: number): void {
    this.#room(1);
    this.#slab[this.#at++] = value;
  }

  /** A value of any kind. */
  value(value: Sendable, depth = 0): void {
    if (typeof value === "number") this.number(value);
    else if (typeof value === "string") this.string(value);
    else if (value === null) this.byte(0xc0);
    else if (value === true) this.byte(0xc3);
    else if (value === false) this.byte(0xc2);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.array(value as readonly Sendable[], depth);
    else throw new TypeError(`a value of type ${typeof value} cannot be sent`);
  }

  /** An array, in so many others. */
  array(values: readonly Sendable[], depth = 0): void {
    if (depth >= MAX_DEPTH) throw new RangeError(`arrays can be nested ${MAX_DEPTH} deep`);
    const { length } = values;
    if (length < 16) this.byte(0x90 | length);
    else if (length <= 0xffff) this.#head(0xdc, 2, length);
    else this.#head(0xdd, 4, length);
    for (const value of values) this.value(value, depth + 1);
  }

  /** A number: integers in the shortest form, all others as doubles. */
  number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.#room(9);
      this.#slab[this.#at] = 0xcb;
      this.#slab.writeDoubleBE(value, this.#at + 1);
      this.#at += 9;
    } else if (value >= 0) this.#unsigned(value);
    else this.#negative(value);
  }

  /** Text, as UTF-8. */
  string(text: string): void {
    if (text.length > SHORT || !this.#ascii(text)) this.bytes(Buffer.from(text, "utf8"));
  }

  /** Bytes, as a string. */
  bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length < 32) this.byte(0xa0 | length);
    else if (length <= 0xff) this.#head(0xd9, 1, length);
    else if (length <= 0xffff) this.#head(0xda, 2, length);
    else if (length <= 0xffff_ffff) this.#head(0xdb, 4, length);
    else throw new RangeError("bytes of 4 GiB and more cannot be sent");
    if (length < LONG) return this.#copy(bytes);
    this.#cutHere();
    this.#pieces.push(bytes);
    this.#cut += length;
  }

  #unsigned(value: number): void {
    if (value < 0x80) this.byte(value);
    else if (value <= 0xff) this.#head(0xcc, 1, value);
    else if (value <= 0xffff) this.#head(0xcd, 2, value);
    else if (value <= 0xffff_ffff) this.#head(0xce, 4, value);
    else this.#wide(0xcf, value);
  }

  #negative(value: number): void {
    if (value >= -0x20) this.byte(value & 0xff);
    else if (value >= -0x80) this.#head(0xd0, 1, value & 0xff);
    else if (value >= -0x8000) this.#head(0xd1, 2, value & 0xffff);
    else if (value >= -0x8000_0000) this.#head(0xd2, 4, value >>> 0);
    else this.#wide(0xd3, value);
  }

  /** An integer of 8 bytes. */
  #wide(kind: number, value: number): void {
    this.#head(kind, 4, Math.floor(value / 2 ** 32) >>> 0);
    this.#room(4);
    this.#slab.writeUInt32BE(value >>> 0, this.#at);
    this.#at += 4;
  }

  /** A kind, and a number of so many bytes. */
  #head(kind: number, size: 1 | 2 | 4, value: number): void {
    this.#room(5);
    const slab = this.#slab;
    let at = this.#at;
    slab[at++] = kind;
    if (size === 4) {
      slab[at++] = value >>> 24;
      slab[at++] = value >>> 16;
    }
    if (size > 1) slab[at++] = value >>> 8;
    slab[at++] = value;
    this.#at = at;
  }

  /** Text of few characters, if all of them are of one byte. */
  #ascii(text: string): boolean {
    const { length } = text;
    this.#room(2 + length);
    const slab = this.#slab;
    let at = this.#at;
    if (length < 32) slab[at++] = 0xa0 | length;
    else {
      slab[at++] = 0xd9;
      slab[at++] = length;
    }
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      slab[at++] = code;
    }
    this.#at = at;
    return true;
  }

  #copy(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#room(length);
    if (length > SHORT) this.#slab.set(bytes, this.#at);
    else for (let i = 0; i < length; i++) this.#slab[this.#at + i] = bytes[i]!;
    this.#at += length;
  }

  /** So many bytes, fewer than a slab has, can be written. */
  #room(length: number): void {
    if (this.#slab.length - this.#at >= length) return;
    this.#cutHere();
    this.#slab = Buffer.allocUnsafeSlow(SLAB);
    this.#start = this.#at = 0;
  }

  /** Make a piece of what was written since the last one. */
  #cutHere(): void {
    if (this.#at === this.#start) return;
    this.#pieces.push(this.#slab.subarray(this.#start, this.#at));
    this.#cut += this.#at - this.#start;
    this.#start = this.#at;
  }

  #rewind(mark: Mark): void {
    this.#slab = mark.slab;
    this.#start = mark.start;
    this.#at = mark.at;
    this.#pieces.length = mark.pieces;
    this.#cut = mark.cut;
  }
}
