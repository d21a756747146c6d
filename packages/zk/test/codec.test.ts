/** What is written to the log is read as it was; what was changed on the way is found out. */
import { formatJobId, formatRequest, ByteWriter } from "@pq/core/state";
import type { ControlParams, NewJob, Settlement, Touch } from "@pq/core/backend";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeHead, encodeHead, readRecord, writeRecord } from "../src/command-codec.ts";
import type { Command, EntryHead } from "../src/commands.ts";
import { MOST_INLINE, open, PART, partsOf, sealInline, sealParts } from "../src/entry.ts";
import { newJob, setFormat } from "./support.ts";

const words = fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer()).map((four) => Int32Array.from(four));
const id = words.map((four) => formatJobId(four));
const request = words.map((four) => formatRequest(four));
const bytes = fc.uint8Array({ maxLength: 60 }).map((some) => Buffer.from(some));
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const ms = fc.double({ noNaN: true, min: 0 });
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some, { nil: null });
const u32 = fc.nat({ max: 2 ** 31 - 1 });

const job: fc.Arbitrary<NewJob> = fc
  .record({
    id,
    priority: fc.integer(),
    urgent: fc.boolean(),
    due: maybe(
      fc.oneof(
        ms.map((value) => ({ in: value })),
        ms.map((value) => ({ at: value })),
      ),
    ),
    ttl: maybe(ms),
    lease: maybe(ms),
    key: maybe(text),
    group: maybe(text),
    maxAttempts: u32,
    keepResult: maybe(ms),
  })
  .map((fields) => ({ ...newJob(), ...fields, payload: new Uint8Array(0), headers: "" }));
const proof = { id, fence: fc.maxSafeNat() };
const settlement: fc.Arbitrary<Settlement> = fc.oneof(
  fc.record({ type: fc.constant("ack" as const), ...proof, result: maybe(bytes) }),
  fc.record({ type: fc.constant("release" as const), ...proof, delay: ms }),
  fc.record({ type: fc.constant("requeue" as const), ...proof }),
  fc.record({ type: fc.constant("fail" as const), ...proof, delay: ms, error: text }),
  fc.record({ type: fc.constant("bury" as const), ...proof, error: maybe(text) }),
);
const touch: fc.Arbitrary<Touch> = fc.record({ ...proof, lease: ms, progress: maybe(bytes) });
const control = fc.oneof(
  fc.record({ type: fc.constant("kick" as const), request, limit: u32 }),
  fc.record({ type: fc.constantFrom("dig" as const, "delete" as const), request, ids: fc.array(id, { maxLength: 5 }) }),
  fc.record({ type: fc.constantFrom("truncate" as const, "pause" as const, "resume" as const), request }),
) as fc.Arbitrary<Omit<ControlParams, "queue">>;
const some = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 5 });
const command = fc.oneof(
  fc.record({
    type: fc.constant("put" as const),
    request,
    maxSize: maybe(u32),
    partial: fc.boolean(),
    after: maybe(request),
    jobs: some(fc.record({ job, size: u32 })),
  }),
  fc.record({ type: fc.constant("take" as const), request, limit: u32, lease: ms }),
  fc.record({ type: fc.constant("settle" as const), request, items: some(settlement) }),
  fc.record({ type: fc.constant("touch" as const), request, items: some(touch) }),
  fc.record({ type: fc.constant("control" as const), params: control }),
  fc.record({ type: fc.constantFrom("wait" as const, "leave" as const), ticket: u32 }),
  fc.record({ type: fc.constant("gone" as const), members: some(request) }),
  fc.record({ type: fc.constant("drop" as const), id, position: fc.maxSafeNat() }),
) as fc.Arbitrary<Command>;
const head: fc.Arbitrary<EntryHead> = fc.record({ member: request, commands: some(command) });

describe("commands", () => {
  test("are read as they were written", () => {
    fc.assert(
      fc.property(head, (written) => {
        expect(decodeHead(encodeHead(written))).toEqual(written);
      }),
      { numRuns: 500 },
    );
  });

  test("that are cut off, or go on, are found out", () => {
    fc.assert(
      fc.property(head, fc.nat(), (written, at) => {
        const all = encodeHead(written);
        expect(() => decodeHead(all.subarray(0, at % all.length))).toThrow();
        expect(() => decodeHead(Buffer.concat([all, Buffer.from([0])]))).toThrow(RangeError);
      }),
    );
  });

  test("of unknown kinds are found out, and random bytes end in an error or a head", () => {
    const all = encodeHead({ member: "0".repeat(32), commands: [{ type: "wait", ticket: 1 }] });
    all.writeUInt8(200, 20);
    expect(() => decodeHead(all)).toThrow(RangeError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        try {
          decodeHead(Buffer.from(random));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

describe("records", () => {
  const record = fc.record({ headers: text, payload: bytes });

  test("are read as they were written, and a bit that changed is found out", () => {
    fc.assert(
      fc.property(record, fc.nat(), (written, at) => {
        const out = new ByteWriter(16);
        out.u8(7);
        const size = writeRecord(out, { ...newJob(), ...written });
        const stored = Buffer.from(out.written.subarray(1));
        expect(stored.length).toBe(size);
        expect(readRecord(stored)).toEqual(written);
        stored[at % size]! ^= 1 << (at % 8);
        expect(readRecord(stored)).toBeNull();
        expect(readRecord(stored.subarray(0, at % size))).toBeNull();
      }),
    );
  });
});

describe("entries", () => {
  const content = fc.record({ head: bytes, body: bytes });

  test("are opened as they were sealed, and a bit that changed is found out", () => {
    fc.assert(
      fc.property(content, request, fc.nat(), (sealed, guid, at) => {
        const lengths = { headLength: sealed.head.length, bodyLength: sealed.body.length };
        const inline = sealInline(sealed);
        expect(open(inline)).toEqual({ ...lengths, content: { inline: Buffer.concat([sealed.head, sealed.body]) } });
        const parts = sealParts(sealed, guid);
        expect(open(parts)).toMatchObject({ ...lengths, content: { guid } });
        for (const node of [inline, parts]) {
          // The first byte is the version: a higher one is of a newer format.
          const changed = 1 + (at % (node.length - 1));
          node[changed]! ^= 1 << (at % 8);
          // That of the kind is not in the checksum.
          if (changed > 1) expect(open(node)).toBeNull();
          expect(open(node.subarray(0, changed))).toBeNull();
        }
      }),
    );
  });

  test("of a newer format are refused", () => {
    const node = sealInline({ head: Buffer.from("h"), body: Buffer.from("b") });
    setFormat(node, 2);
    expect(() => open(node)).toThrow(expect.objectContaining({ code: "INCOMPATIBLE_VERSION" }));
  });

  test("that are large are parted, and no part is too large", () => {
    const body = Buffer.alloc(2 * PART + 5, "x");
    const parts = partsOf({ head: Buffer.from("head"), body });
    expect(parts.map(({ length }) => length)).toEqual([PART, PART, 9]);
    expect(Buffer.concat(parts).subarray(4).equals(body)).toBe(true);
    expect(MOST_INLINE).toBeLessThan(PART);
  });
});
