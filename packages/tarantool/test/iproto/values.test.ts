/** What is written is what is read, and nothing that can be read does harm. */
import { deepStrictEqual } from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../src/iproto/errors.ts";
import { Reader } from "../../src/iproto/reader.ts";
import { Extension, MAX_DEPTH, type Received, type Sendable } from "../../src/iproto/value.ts";
import { Writer } from "../../src/iproto/writer.ts";

function written(value: Sendable): Buffer {
  const writer = new Writer();
  writer.value(value);
  return Buffer.concat(writer.take());
}

function read(bytes: Uint8Array): Received {
  const reader = new Reader(Buffer.from(bytes));
  const value = reader.value();
  expect(reader.isDone).toBe(true);
  return value;
}

/** How a value comes back. */
function echoed(value: Sendable): Received {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map((element: Sendable) => echoed(element));
  return (Object.is(value, -0) ? 0 : value) as Received;
}

const scalars = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.double({ noNaN: true }),
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 0, max: 40_000 }).map((length) => new Uint8Array(length).fill(length)),
);
const values = fc.letrec<{ value: Sendable }>((tie) => ({
  value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, scalars, fc.array(tie("value"), { maxLength: 20 })),
})).value;

describe("values", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(values, (value) => {
        deepStrictEqual(read(written(value)), echoed(value));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    [0, 1],
    [0x7f, 1],
    [0x80, 2],
    [0xff, 2],
    [0x100, 3],
    [0xffff, 3],
    [0x1_0000, 5],
    [0xffff_ffff, 5],
    [0x1_0000_0000, 9],
    [2 ** 53 - 1, 9],
    [-1, 1],
    [-0x20, 1],
    [-0x21, 2],
    [-0x80, 2],
    [-0x81, 3],
    [-0x8000, 3],
    [-0x8001, 5],
    [-0x8000_0000, 5],
    [-0x8000_0001, 9],
    [-(2 ** 53 - 1), 9],
    [2 ** 53, 9],
    [2 ** 64, 9],
    [1.5, 9],
    [5e-324, 9],
    [Infinity, 9],
    [NaN, 9],
  ])("the number %d takes %d bytes", (value, length) => {
    const bytes = written(value);
    expect(bytes).toHaveLength(length);
    expect(read(bytes)).toBe(value);
    // Tarantool's own: integers are integers.
    expect(bytes[0] === 0xcb).toBe(!Number.isSafeInteger(value));
  });

  test.each([0, 1, 31, 32, 40, 41, 255, 256, 16_383, 16_384, 65_535, 65_536, 70_000])(
    "text and bytes of %d",
    (length) => {
      const bytes = Buffer.alloc(length, 0xfe);
      deepStrictEqual(read(written(bytes)), bytes);
      const text = "t".repeat(length);
      deepStrictEqual(read(written(text)), Buffer.from(text));
      deepStrictEqual(written(text), written(Buffer.from(text)));
      const long = "é€😀".repeat(length / 4);
      deepStrictEqual(read(written(long)), Buffer.from(long));
    },
  );

  test.each([0, 15, 16, 65_535, 65_536])("arrays of %d", (length) => {
    const array = Array.from({ length }, (_, i) => i);
    expect(read(written(array))).toEqual(array);
  });

  test("integers beyond 2^53 come as bigint", () => {
    const bytes = (kind: number, value: bigint): Buffer => {
      const made = Buffer.alloc(9, kind);
      made.writeBigUInt64BE(BigInt.asUintN(64, value), 1);
      return made;
    };
    expect(read(bytes(0xcf, 2n ** 53n - 1n))).toBe(2 ** 53 - 1);
    expect(read(bytes(0xcf, 2n ** 53n))).toBe(2n ** 53n);
    expect(read(bytes(0xcf, 2n ** 64n - 1n))).toBe(2n ** 64n - 1n);
    expect(read(bytes(0xd3, -(2n ** 53n) + 1n))).toBe(-(2 ** 53) + 1);
    expect(read(bytes(0xd3, -(2n ** 63n)))).toBe(-(2n ** 63n));
    expect(read(bytes(0xd3, -1n))).toBe(-1);
  });

  test.each([
    ["a float", [0xca, 0x3f, 0xc0, 0, 0], 1.5],
    ["int8", [0xd0, 0xff], -1],
    ["binary 8", [0xc4, 2, 1, 2], Buffer.from([1, 2])],
    ["binary 16", [0xc5, 0, 1, 9], Buffer.from([9])],
    ["binary 32", [0xc6, 0, 0, 0, 1, 9], Buffer.from([9])],
    ["string 32", [0xdb, 0, 0, 0, 1, 0xff], Buffer.from([0xff])],
    ["fixext 1", [0xd4, 0x81, 9], new Extension(-127, Buffer.from([9]))],
    ["fixext 16", [0xd8, 2, ...Buffer.alloc(16)], new Extension(2, Buffer.alloc(16))],
    ["ext 8", [0xc7, 3, 1, 7, 8, 9], new Extension(1, Buffer.from([7, 8, 9]))],
    ["ext 32", [0xc9, 0, 0, 0, 0, 1], new Extension(1, Buffer.alloc(0))],
    [
      "a map",
      [0x82, 0xa1, 0x61, 1, 2, 0xc0],
      new Map<Received, Received>([
        ["a" as never, 1],
        [2, null],
      ]),
    ],
    ["a map 16", [0xde, 0, 1, 0xc3, 0x90], new Map<Received, Received>([[true, []]])],
    ["an odd key", [0x81, 0xa9, ...Buffer.from("__proto__"), 1], new Map([["__proto__", 1]])],
  ])("%s can be read", (_, bytes, value) => {
    expect(read(Uint8Array.from(bytes))).toEqual(value);
  });
});

describe("what cannot be sent", () => {
  test.each([[undefined], [{}], [1n], [Symbol("s")], [() => 1], [new Map()]])("%s", (value) => {
    expect(() => written([value as never])).toThrow(TypeError);
  });

  test("a hole in an array", () => {
    const holes: Sendable[] = [1];
    holes[2] = 1;
    expect(() => written(holes)).toThrow(TypeError);
  });

  test("too deep an array, or one that holds itself", () => {
    let value: Sendable = [];
    for (let depth = 1; depth < MAX_DEPTH; depth++) value = [value];
    expect(read(written(value))).toEqual(value);
    expect(() => written([value])).toThrow(RangeError);
    const circle: Sendable[] = [];
    circle.push(circle);
    expect(() => written(circle)).toThrow(RangeError);
  });

  test("leaves no trace among what can", () => {
    const sendable = fc.record({ value: values, bad: fc.boolean() });
    fc.assert(
      fc.property(fc.array(sendable, { maxLength: 30 }), (entries) => {
        const writer = new Writer();
        for (const { value, bad } of entries) {
          const all = bad ? [value, undefined as never] : value;
          try {
            writer.packet((packet) => packet.value(all));
          } catch {
            expect(bad).toBe(true);
          }
        }
        const good = entries.filter(({ bad }) => !bad).map(({ value }) => written(value));
        const packets = good.map((bytes) => {
          const prefix = Buffer.from([0xce, 0, 0, 0, 0]);
          prefix.writeUInt32BE(bytes.length, 1);
          return Buffer.concat([prefix, bytes]);
        });
        expect(writer.isEmpty).toBe(good.length === 0);
        expect(Buffer.concat(writer.take()).equals(Buffer.concat(packets))).toBe(true);
        expect(writer.isEmpty).toBe(true);
      }),
    );
  });
});

describe("bytes that are wrong", () => {
  test("a value that ends too early", () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, cut) => {
        const bytes = written(value);
        expect(() => new Reader(bytes.subarray(0, cut % bytes.length)).value()).toThrow(DecodeError);
      }),
      { numRuns: 500 },
    );
  });

  test("anything: a value or a DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => harmless(bytes)),
      { numRuns: 3000 },
    );
    // Each first byte, with what may follow.
    for (let kind = 0; kind < 0x100; kind++) {
      for (const rest of [0x00, 0x01, 0x7f, 0xdd, 0xff]) harmless(Uint8Array.of(kind, ...Buffer.alloc(40, rest)));
    }
  });

  test("a value of which a byte was changed", () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(255), (value, at, byte) => {
        const bytes = written(value);
        bytes[at % bytes.length] = byte;
        harmless(bytes);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["arrays within arrays", Buffer.alloc(1_000_000, 0x91)],
    ["maps within maps", Buffer.alloc(1_000_000, 0x81)],
    ["arrays that lie about their length, within each other", Buffer.alloc(1_000_000, 0xdd)],
    ["an array that lies", Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, ...Buffer.alloc(1000)])],
    ["a map that lies", Buffer.from([0xdf, 0x7f, 0xff, 0xff, 0xff, ...Buffer.alloc(1000)])],
    ["a string that lies", Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff, 1])],
    ["the kind that there is not", Buffer.from([0xc1])],
    ["nothing", Buffer.alloc(0)],
  ])("%s", (_, bytes) => {
    const began = performance.now();
    expect(() => new Reader(bytes).value()).toThrow(DecodeError);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

function harmless(bytes: Uint8Array): void {
  const reader = new Reader(Buffer.from(bytes));
  try {
    while (!reader.isDone) reader.value();
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
  }
}
