import { JOB_STATES, newJobId } from "@pq/core/backend";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareKeys, cursorOf, First, keyIn, keyOf } from "../src/listing.ts";
import { freshJob } from "../src/page/codec.ts";
import type { PageJob } from "../src/page/job.ts";
import { comparePlaces } from "../src/page/place.ts";

const small = fc.integer({ min: 0, max: 3 });
const stamp = fc.record({ ms: small, n: small, i: small });

/** Jobs that have much in common with each other. */
const job: fc.Arbitrary<PageJob> = fc
  .record({
    urgent: fc.boolean(),
    priority: fc.integer({ min: -2, max: 2 }),
    returned: fc.boolean(),
    stamp,
    until: small,
    turn: small,
    since: stamp,
  })
  .map((fields) => Object.assign(freshJob(newJobId(), 0, 0, 1), { ...fields, priority: fields.priority }));

describe("the order of a list", () => {
  test("ready jobs stand as they are delivered", () => {
    fc.assert(
      fc.property(job, job, (a, b) => {
        const place = Math.sign(comparePlaces(a, b));
        const key = compareKeys(keyOf("ready", a), keyOf("ready", b));
        expect(key).toBe(place === 0 ? (a.id < b.id ? -1 : 1) : place);
      }),
    );
  });

  test("delayed jobs stand by when they fall due, leased ones by the end of the lease and their turn in the take", () => {
    const [first, second] = [newJobId(), newJobId()].toSorted();
    const make = (id: string | undefined, fields: Partial<PageJob>): PageJob =>
      Object.assign(freshJob(id as PageJob["id"], 0, 0, 1), fields);
    const early = make(second, { until: 1, turn: 2, stamp: { ms: 9, n: 9, i: 9 } });
    const late = make(first, { until: 2, turn: 1, stamp: { ms: 0, n: 0, i: 0 } });
    for (const state of ["delayed", "leased"] as const) {
      expect(compareKeys(keyOf(state, early), keyOf(state, late))).toBe(-1);
    }
    const turns = [make(second, { until: 1, turn: 1 }), make(first, { until: 1, turn: 2 })] as const;
    expect(compareKeys(keyOf("leased", turns[0]), keyOf("leased", turns[1]))).toBe(-1);
  });

  test("a cursor holds the key", () => {
    fc.assert(
      fc.property(job, fc.constantFrom(...JOB_STATES), (job, state) => {
        const key = keyOf(state, job);
        expect(compareKeys(keyIn(cursorOf(key), state), key)).toBe(0);
      }),
    );
  });

  test("the first of many are those that sorting all would give", () => {
    fc.assert(
      fc.property(fc.array(job, { maxLength: 400 }), fc.integer({ min: 1, max: 60 }), fc.nat(), (jobs, limit, from) => {
        const keyed = jobs.map((each) => ({ key: keyOf("buried", each) }));
        const after = keyed[from % (keyed.length + 1)]?.key ?? null;
        const first = new First<(typeof keyed)[number]>(limit, after);
        for (const each of keyed) if (first.takes(each.key)) first.add(each);
        const sorted = keyed.toSorted((a, b) => compareKeys(a.key, b.key));
        const behind = sorted.filter(({ key }) => after === null || compareKeys(key, after) > 0);
        expect(first.done()).toEqual(behind.slice(0, limit));
      }),
    );
  });
});
