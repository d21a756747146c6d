/** What pages are stored as: bytes that give back what was written, and sort as the jobs do. */
import { isPqError, newJobId, newRequestId } from "@pq/core/backend";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packBodies, sizeOf, unpackBody } from "../src/page/body.ts";
import { type Calls, decode, encode, freshJob, type Outcome } from "../src/page/codec.ts";
import type { PageJob, RecordState } from "../src/page/job.ts";
import { comparePlaces, comparePositions, type Placed, placeBytes, positionBytes } from "../src/page/place.ts";
import { newJob } from "@pq/core/testing";

const time = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const stamp = fc.record({ ms: time, n: time, i: fc.integer({ min: 0, max: 65_535 }) });
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString("hex"));
const count = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const state = fc.constantFrom<RecordState>("ready", "delayed", "leased", "buried", "done", "damaged");

const pageJob: fc.Arbitrary<PageJob> = fc
  .record({
    size: count,
    maxAttempts: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    index: fc.integer({ min: 0, max: 65_535 }),
    stamp,
    priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    key: orNull(fc.string({ minLength: 1, unit: "binary" })),
    group: orNull(fc.string({ minLength: 1, unit: "binary" })),
    ownLease: orNull(time),
    keepResult: orNull(fc.oneof(fc.constant(0), time)),
    expiresAt: orNull(time),
    state,
    urgent: fc.boolean(),
    returned: fc.boolean(),
    armed: fc.boolean(),
    deliveries: count,
    attempt: count,
    until: orNull(time),
    lease: time,
    takenBy: orNull(fc.constant(null).map(() => newRequestId())),
    turn: count,
    since: orNull(stamp),
    buryReason: orNull(fc.constantFrom("failed" as const, "lease-expired" as const, "buried" as const)),
    lastError: orNull(hex(12)),
    progress: orNull(hex(12)),
    result: orNull(hex(12)),
  })
  .map((fields) => ({ ...freshJob(newJobId(), 0, 0, 1), ...fields }));

const calls: fc.Arbitrary<Calls> = fc
  .array(fc.tuple(time, fc.array(fc.tuple(fc.nat(65_535), fc.constantFrom<Outcome>("gone", "buried", "touched")))))
  .map((list) => new Map(list.map(([ms, outcomes]) => [newRequestId(), { ms, outcomes: new Map(outcomes) }])));

const placed: fc.Arbitrary<Placed> = fc.record({
  urgent: fc.boolean(),
  returned: fc.boolean(),
  priority: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  stamp: fc.oneof(
    stamp,
    fc.record({ ms: fc.integer({ min: 1, max: 3 }), n: fc.integer({ min: 1, max: 3 }), i: fc.nat(3) }),
  ),
});

describe("a page", () => {
  test("gives back all of its jobs and calls", () => {
    fc.assert(
      fc.property(fc.array(pageJob, { maxLength: 20 }), calls, time, time, (jobs, memory, at, n) => {
        expect(decode(encode({ jobs, calls: memory }, at, n), at, n)).toEqual({ jobs, calls: memory });
      }),
    );
  });

  test("keeps 28 bytes of a job that has nothing special, and of one that is gone", () => {
    const jobs = Array.from({ length: 100 }, (_, index) => {
      return Object.assign(freshJob(newJobId(), index, 100, 5), { stamp: { ms: 7, n: 9, i: index } });
    });
    expect(encode({ jobs, calls: new Map() }, 7, 9).length).toBe(5 + 100 * 28);
    for (const job of jobs) Object.assign(job, { state: "gone", key: "k", deliveries: 3 });
    expect(encode({ jobs, calls: new Map() }, 7, 9).length).toBe(5 + 100 * 28);
  });

  test("is CORRUPT and nothing else, wherever it is cut or changed", () => {
    const [job] = fc.sample(pageJob, { numRuns: 1, seed: 7 });
    const bytes = encode({ jobs: [job!, job!], calls: new Map() }, 7, 9);
    const code = (broken: Buffer): string => {
      try {
        decode(broken, 7, 9);
        return "read";
      } catch (error) {
        return isPqError(error) ? error.code : String(error);
      }
    };
    for (let length = 0; length < bytes.length; length++) expect(code(bytes.subarray(0, length))).toBe("CORRUPT");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const broken = Buffer.from(bytes);
      broken[bit >> 3]! ^= 1 << (bit & 7);
      expect(["CORRUPT", "read"]).toContain(code(broken));
    }
  });
});

describe("the bytes of a place", () => {
  test("sort as jobs are delivered", () => {
    fc.assert(
      fc.property(placed, placed, (a, b) => {
        const bytes = Buffer.compare(placeBytes(a).buffer, placeBytes(b).buffer);
        expect(bytes).toBe(Math.sign(comparePlaces(a, b)));
      }),
      { numRuns: 2000 },
    );
  });

  test("and those of a position as the members of a group are", () => {
    fc.assert(
      fc.property(placed, placed, (a, b) => {
        const bytes = Buffer.compare(positionBytes(a).buffer, positionBytes(b).buffer);
        expect(bytes).toBe(Math.sign(comparePositions(a, b)));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("payloads", () => {
  const bodies = fc.array(fc.record({ payload: fc.uint8Array({ maxLength: 3000 }), headers: fc.string() }), {
    minLength: 1,
    maxLength: 200,
  });

  test("are found by the index of their job, in the page or in a chunk", () => {
    fc.assert(
      fc.property(bodies, (list) => {
        const jobs = list.map((fields) => newJob(fields));
        const { body, chunks, per } = packBodies(jobs);
        jobs.forEach((job, index) => {
          const bytes = body ?? chunks[Math.floor(index / per)]!;
          const found = unpackBody(bytes, index % per, sizeOf(job));
          expect(Buffer.compare(found.payload, job.payload)).toBe(0);
          expect(found.headers).toBe(job.headers);
        });
      }),
    );
  });

  test("of a megabyte have a chunk each", () => {
    const jobs = Array.from({ length: 3 }, () => newJob({ payload: Buffer.alloc(1024 * 1024) }));
    expect(packBodies(jobs)).toMatchObject({ body: null, per: 1, chunks: { length: 3 } });
  });
});
