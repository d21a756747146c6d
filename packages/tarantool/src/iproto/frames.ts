/**
 * Cuts a stream of bytes into packets. Chunks may come in any size. A packet that lies within a chunk is a view of it; one that spans several is
 * copied once, into memory of its own.
 */
import { DecodeError } from "./errors.ts";

/** The longest packet: far beyond what any answer should be. */
const MAX_PACKET = 256 * 2 ** 20;

/** Where the packets are. */
export interface FramesParams {
  /** So many bytes come first and are a packet without a length. Default 0. */
  readonly first?: number;
  /** The longest packet. Default 256 MiB. */
  readonly limit?: number;
}

/** How many bytes a length has, by its first one. */
function prefixSize(kind: number): number {
  if (kind < 0x80) return 1;
  if (kind >= 0xcc && kind <= 0xcf) return 1 + (1 << (kind - 0xcc));
  throw new DecodeError("a packet begins with something that is not a length");
}

/** The packets of one stream: `push` a chunk, then call `next` until it has no more. */
export class Frames {
  readonly #limit: number;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The length, as far as it has come. */
  readonly #prefix = new Uint8Array(9);
  #prefixed = 0;
  /** A packet that did not come at once, as far as it has come. */
  #packet: Buffer | undefined;
  #filled = 0;

  constructor({ first = 0, limit = MAX_PACKET }: FramesParams = {}) {
    this.#limit = limit;
    if (first > 0) this.#packet = Buffer.allocUnsafe(first);
  }

  /** A chunk has come. All packets of the one before were fetched. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next packet, if all of it is there. */
  next(): Buffer | undefined {
    if (this.#packet !== undefined) return this.#fill(this.#packet);
    const length = this.#length();
    if (length === undefined) return undefined;
    const end = this.#at + length;
    if (end <= this.#chunk.length) {
      const packet = this.#chunk.subarray(this.#at, end);
      this.#at = end;
      return packet;
    }
    this.#packet = Buffer.allocUnsafeSlow(length);
    return this.#fill(this.#packet);
  }

  #fill(packet: Buffer): Buffer | undefined {
    const copied = this.#chunk.copy(packet, this.#filled, this.#at);
    this.#at += copied;
    this.#filled += copied;
    if (this.#filled < packet.length) return undefined;
    this.#packet = undefined;
    this.#filled = 0;
    return packet;
  }

  #length(): number | undefined {
    const prefix = this.#prefix;
    while (this.#at < this.#chunk.length) {
      prefix[this.#prefixed++] = this.#chunk[this.#at++]!;
      const size = prefixSize(prefix[0]!);
      if (this.#prefixed < size) continue;
      this.#prefixed = 0;
      return this.#checked(size);
    }
    return undefined;
  }

  #checked(size: number): number {
    let length = size === 1 ? this.#prefix[0]! : 0;
    for (let i = 1; i < size; i++) length = length * 0x100 + this.#prefix[i]!;
    if (length > this.#limit) throw new DecodeError(`a packet is longer than ${this.#limit} bytes`);
    return length;
  }
}
