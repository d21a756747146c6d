import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/state/crc32c.ts";

describe("crc32c", () => {
  // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
  it.each([
    ["32 zeros", Buffer.alloc(32), 0x8a9136aa],
    ["32 times 0xff", Buffer.alloc(32, 0xff), 0x62a8ab43],
    ["0 to 31", Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ["31 to 0", Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
    ["123456789", Buffer.from("123456789"), 0xe3069283],
    ["nothing", Buffer.alloc(0), 0],
  ])("of %s", (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it("is the same bit by bit, for every length and start", () => {
    const bytes = Buffer.from(Array.from({ length: 70 }, (_, i) => (i * 167 + 13) & 0xff));
    for (let from = 0; from < 9; from++) {
      for (let to = from; to <= bytes.length; to++) {
        expect(crc32c(bytes, from, to)).toBe(slowly(bytes.subarray(from, to)));
      }
    }
  });
});

function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
