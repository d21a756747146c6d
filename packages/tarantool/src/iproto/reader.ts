/** Reads MessagePack. It trusts nobody: whatever the bytes, it ends with a value or a `DecodeError`, and takes memory only for what is there. */
import { DecodeError } from "./errors.ts";
import { Extension, MAX_DEPTH, type Received } from "./value.ts";

const LOWEST = BigInt(Number.MIN_SAFE_INTEGER);
const HIGHEST = BigInt(Number.MAX_SAFE_INTEGER);

/** A number if it is exact as one. */
function integer(value: bigint): number | bigint {
  return value >= LOWEST && value <= HIGHEST ? Number(value) : value;
}

/** One value after the other from some bytes. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** All was read. */
  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A value of any kind, in so many arrays and maps. */
  value(depth = 0): Received {
    const kind = this.#byte();
    if (kind < 0x80) return kind;
    if (kind < 0x90) return this.#map(kind & 0x0f, depth);
    if (kind < 0xa0) return this.#array(kind & 0x0f, depth);
    if (kind < 0xc0) return this.#take(kind & 0x1f);
    if (kind >= 0xe0) return kind - 0x100;
    return this.#tagged(kind, depth);
  }

  /** The number of pairs of a map that is expected here. */
  mapSize(): number {
    const kind = this.#byte();
    if (kind >= 0x80 && kind < 0x90) return this.#fits(kind & 0x0f, 2);
    if (kind === 0xde || kind === 0xdf) return this.#fits(this.#count(2 << (kind - 0xde)), 2);
    throw new DecodeError("a map was expected");
  }

  /** An integer from 0 to 2^53 - 1 that is expected here. */
  unsigned(): number {
    const kind = this.#byte();
    if (kind < 0x80) return kind;
    if (kind >= 0xcc && kind <= 0xce) return this.#count(1 << (kind - 0xcc));
    const value = kind === 0xcf ? this.#unsigned64() : undefined;
    if (typeof value === "number") return value;
    throw new DecodeError("an unsigned integer was expected");
  }

  #tagged(kind: number, depth: number): Received {
    if (kind <= 0xc3) return this.#simple(kind);
    if (kind <= 0xc6) return this.#take(this.#count(1 << (kind - 0xc4)));
    if (kind <= 0xc9) return this.#extension(this.#count(1 << (kind - 0xc7)));
    if (kind <= 0xcb) return this.#float(kind);
    if (kind <= 0xce) return this.#count(1 << (kind - 0xcc));
    if (kind === 0xcf) return this.#unsigned64();
    if (kind <= 0xd3) return this.#signed(1 << (kind - 0xd0));
    if (kind <= 0xd8) return this.#extension(1 << (kind - 0xd4));
    if (kind <= 0xdb) return this.#take(this.#count(1 << (kind - 0xd9)));
    if (kind <= 0xdd) return this.#array(this.#count(2 << (kind - 0xdc)), depth);
    return this.#map(this.#count(2 << (kind - 0xde)), depth);
  }

  #simple(kind: number): null | boolean {
    if (kind === 0xc0) return null;
    if (kind === 0xc1) throw new DecodeError("a value of no known kind");
    return kind === 0xc3;
  }

  #float(kind: number): number {
    const at = this.#skip(kind === 0xca ? 4 : 8);
    return kind === 0xca ? this.#bytes.readFloatBE(at) : this.#bytes.readDoubleBE(at);
  }

  #signed(size: number): number | bigint {
    const at = this.#skip(size);
    return size === 8 ? integer(this.#bytes.readBigInt64BE(at)) : this.#bytes.readIntBE(at, size);
  }

  #unsigned64(): number | bigint {
    const at = this.#skip(8);
    const high = this.#bytes.readUInt32BE(at);
    if (high < 2 ** 21) return high * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
    return this.#bytes.readBigUInt64BE(at);
  }

  #array(length: number, depth: number): readonly Received[] {
    this.#deeper(depth);
    this.#fits(length, 1);
    // Grows while it is read, so that a length that lies takes no memory.
    const values: Received[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(depth + 1));
    return values;
  }

  #map(size: number, depth: number): ReadonlyMap<Received | string, Received> {
    this.#deeper(depth);
    this.#fits(size, 2);
    const map = new Map<Received | string, Received>();
    for (let i = 0; i < size; i++) {
      const key = this.value(depth + 1);
      map.set(Buffer.isBuffer(key) ? key.toString("utf8") : key, this.value(depth + 1));
    }
    return map;
  }

  #extension(length: number): Extension {
    const type = (this.#byte() << 24) >> 24;
    return new Extension(type, this.#take(length));
  }

  #take(length: number): Buffer {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** An unsigned integer of 1, 2 or 4 bytes. */
  #count(size: number): number {
    let at = this.#skip(size);
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 0x100 + this.#bytes[at++]!;
    return value;
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)]!;
  }

  /** Where the next so many bytes begin. */
  #skip(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new DecodeError("the bytes end within a value");
    this.#at = at + length;
    return at;
  }

  #deeper(depth: number): void {
    if (depth >= MAX_DEPTH) throw new DecodeError(`arrays or maps are nested more than ${MAX_DEPTH} deep`);
  }

  /** So many elements of so many values each can be there. */
  #fits(count: number, each: number): number {
    if (count * each > this.#bytes.length - this.#at) throw new DecodeError("an array or map is longer than the bytes");
    return count;
  }
}
