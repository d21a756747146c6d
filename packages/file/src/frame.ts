/**
 * Frames: how records stand in a segment.
 *
 *     0   u32  length of the body
 *     4   u32  number of the group, see below
 *     8   u8   type of the record (records.ts)
 *     9   u8   flags: FIRST and MORE
 *    10   u16  check over bytes 0..10: is this a header at all?
 *    12   u32  CRC-32C over bytes 0..12 and the body
 *    16   ...  body
 *
 * **Where it stands is part of the checksum.** Both checksums start from a value made of the store's random salt, the
 * segment's number and the offset of the frame. The image of a frame at any other place, such as inside a payload,
 * is therefore not a frame.
 *
 * **Batches.** Records that belong together stand one after the other: the first carries FIRST, all but the last
 * carry MORE. A record on its own carries FIRST. A batch whose end is missing was never written whole.
 *
 * **Groups.** All frames of one write carry the same number, and the next write, which starts when this one is on disk,
 * the next number. So a frame of a later group proves that the groups before it were written whole: a damaged
 * frame among them was damaged afterwards. In the last group it may as well be a write that power failure left unfinished.
 */
import { ByteWriter, giveWay, updateCrc32c } from "@pq/core/state";

/** Places looked at between two pauses when the next frame is searched. */
const SCAN_SLICE = 64 * 1024;

/** Bytes before the body. */
const FRAME_HEADER = 16;
/** The first record of a batch. */
export const FIRST = 1;
/** More records of this batch follow. */
export const MORE = 2;

/** What the checksums of a segment start from. */
export function segmentSeed(salt: number, segment: number): number {
  return salt ^ Math.imul(segment, 0x9e3779b1);
}

function fold(register: number): number {
  return (register ^ (register >>> 16)) & 0xffff;
}

/** Writes frames one after the other; what depends on the place in the segment is filled in by `seal`. */
export class FrameWriter {
  readonly out: ByteWriter = new ByteWriter(4096);
  #start = 0;

  get length(): number {
    return this.out.length;
  }

  /** Start a frame; its body is what is written to `out` until `end`. Returns the offset in this writer. */
  begin(type: number, flags: number): number {
    const { out } = this;
    this.#start = out.length;
    out.u32(0);
    out.u32(0);
    out.u8(type);
    out.u8(flags);
    out.u16(0);
    out.u32(0);
    return this.#start;
  }

  /** The frame that begins there is the first of its batch. */
  markFirst(start: number): void {
    this.out.written[start + 9]! |= FIRST;
  }

  /** Finish the frame. Returns its size with the header. */
  end(): number {
    const size = this.out.length - this.#start;
    this.out.u32At(this.#start, size - FRAME_HEADER);
    return size;
  }
}

/** Fill in groups and checksums of all frames in `bytes`, which will stand at `offset` of the segment with this seed. */
export function seal(bytes: Buffer, seed: number, offset: number, group: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const end = at + FRAME_HEADER + view.getUint32(at, true);
    view.setUint32(at + 4, group, true);
    const start = seed ^ (offset + at);
    const head = updateCrc32c(start, bytes, at, at + 10);
    view.setUint16(at + 10, fold(head), true);
    view.setUint32(
      at + 12,
      updateCrc32c(updateCrc32c(head, bytes, at + 10, at + 12), bytes, at + FRAME_HEADER, end),
      true,
    );
    at = end;
  }
}

/** What stands at an offset: a whole frame, damage, nothing (zeros), or a frame that the end of the file cuts off. */
export type FrameCheck = "frame" | "damaged" | "blank" | "short";

/** Looks at frames in the bytes of a segment. After `check` said `frame`, the fields describe it. */
export class FrameCursor {
  readonly bytes: Buffer;
  readonly #view: DataView;
  readonly #seed: number;
  /** The offset in the segment of `bytes[0]`. */
  readonly #base: number;
  type = 0;
  flags = 0;
  group = 0;
  bodyStart = 0;
  end = 0;

  constructor(bytes: Buffer, seed: number, base = 0) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#seed = seed;
    this.#base = base;
  }

  /** Check what stands at `at` (an index into `bytes`). */
  check(at: number): FrameCheck {
    const { bytes } = this;
    if (at + FRAME_HEADER > bytes.length) return "short";
    const head = updateCrc32c(this.#seed ^ (this.#base + at), bytes, at, at + 10);
    if (this.#view.getUint16(at + 10, true) !== fold(head)) return this.#isBlank(at) ? "blank" : "damaged";
    const end = at + FRAME_HEADER + this.#view.getUint32(at, true);
    if (end > bytes.length) return "short";
    const crc = updateCrc32c(updateCrc32c(head, bytes, at + 10, at + 12), bytes, at + FRAME_HEADER, end);
    if (this.#view.getInt32(at + 12, true) !== crc) return "damaged";
    this.group = this.#view.getUint32(at + 4, true);
    this.type = bytes[at + 8]!;
    this.flags = bytes[at + 9]!;
    this.bodyStart = at + FRAME_HEADER;
    this.end = end;
    return "frame";
  }

  /** The next place from `at` on where a whole frame stands, or the end of the bytes. Looks in slices. */
  async nextFrame(at: number): Promise<number> {
    for (let place = at; place + FRAME_HEADER <= this.bytes.length; place++) {
      if (this.check(place) === "frame") return place;
      if (place % SCAN_SLICE === 0) await giveWay();
    }
    return this.bytes.length;
  }

  #isBlank(at: number): boolean {
    for (let i = at; i < at + FRAME_HEADER; i++) if (this.bytes[i] !== 0) return false;
    return true;
  }
}
