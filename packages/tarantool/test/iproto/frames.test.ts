/** Packets are found whatever the chunks. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { DecodeError } from "../../src/iproto/errors.ts";
import { Frames } from "../../src/iproto/frames.ts";
import { Writer } from "../../src/iproto/writer.ts";

/** All packets of some chunks. */
function packets(frames: Frames, chunks: Iterable<Buffer>): Buffer[] {
  const found: Buffer[] = [];
  for (const chunk of chunks) {
    frames.push(chunk);
    for (let packet = frames.next(); packet !== undefined; packet = frames.next()) found.push(packet);
  }
  return found;
}

function* sliced(bytes: Buffer, size: (at: number) => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const next = at + size(at);
    // A copy: what is read from a socket is no view of what was sent.
    yield Buffer.from(bytes.subarray(at, next));
    at = next;
  }
}

/** Content with a length before it, in the given form. */
function framed(content: Uint8Array, form: number): Buffer {
  const size = form < 0xcc ? 0 : 1 << (form - 0xcc);
  const prefix = Buffer.alloc(1 + size, form);
  if (size === 0) prefix[0] = content.length;
  else prefix.fill(0, 1).writeUIntBE(content.length, Math.max(1, 1 + size - 6), Math.min(size, 6));
  return Buffer.concat([prefix, content]);
}

const forms = [0, 0xcc, 0xcd, 0xce, 0xcf];

test("any packets, in any chunks, with any form of length", () => {
  const content = fc.record({ form: fc.constantFrom(...forms), bytes: fc.uint8Array({ maxLength: 100 }) });
  fc.assert(
    fc.property(fc.array(content), fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (contents, sizes) => {
      const all = Buffer.concat(contents.map(({ bytes, form }) => framed(bytes, form)));
      let turn = 0;
      const found = packets(
        new Frames(),
        sliced(all, () => sizes[turn++ % sizes.length]!),
      );
      expect(found).toEqual(contents.map(({ bytes }) => Buffer.from(bytes)));
    }),
    { numRuns: 500 },
  );
});

test.each([1, 2, 3, 5, 7, 1000, 1e9])("what the writer writes, in chunks of %d", (size) => {
  const writer = new Writer();
  const lengths = [0, 1, 100, 16_383, 16_384, 70_000, 3];
  for (const length of lengths) writer.packet((packet) => packet.bytes(Buffer.alloc(length, length)));
  const all = Buffer.concat(writer.take());
  const found = packets(
    new Frames(),
    sliced(all, () => size),
  );
  expect(found.map((packet) => packet.at(-1))).toEqual(lengths.map((length) => (length === 0 ? 0xa0 : length & 0xff)));
});

test("what comes first has no length", () => {
  const all = Buffer.concat([Buffer.alloc(128, 7), framed(Buffer.from("a"), 0xce)]);
  for (const size of [1, 127, 128, 129, 1000]) {
    expect(
      packets(
        new Frames({ first: 128 }),
        sliced(all, () => size),
      ),
    ).toEqual([Buffer.alloc(128, 7), Buffer.from("a")]);
  }
});

test("a large packet in small chunks takes time that grows with its length only", () => {
  const content = Buffer.alloc(64 * 2 ** 20, 1);
  const began = performance.now();
  const found = packets(
    new Frames(),
    sliced(framed(content, 0xce), () => 1000),
  );
  expect(found).toHaveLength(1);
  expect(found[0]!.equals(content)).toBe(true);
  // Copying it all for each chunk would take minutes.
  expect(performance.now() - began).toBeLessThan(5000);
});

test("a packet over the limit is refused before it comes", () => {
  expect(packets(new Frames({ limit: 100 }), [framed(Buffer.alloc(100), 0xce)])).toHaveLength(1);
  const refused = (bytes: number[]): void => {
    expect(() => packets(new Frames({ limit: 100 }), [Buffer.from(bytes)])).toThrow(DecodeError);
  };
  refused([0xce, 0, 0, 0, 101]);
  refused([0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  expect(() => packets(new Frames(), [Buffer.from([0xce, 0x10, 0, 0, 1])])).toThrow("longer than 268435456 bytes");
});

test("what is no length is refused", () => {
  for (let kind = 0x80; kind < 0x100; kind++) {
    if (forms.includes(kind)) continue;
    expect(() => packets(new Frames(), [Buffer.from([kind])])).toThrow(DecodeError);
  }
});
