/** Random work by three backends at once, and what is stored afterwards; and that the invariants see what is wrong. */
import {
  type DeliveredJob,
  isPqError,
  newRequestId,
  type NewJob,
  type PutParams,
  type Settlement,
} from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import type { Db } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { broken } from "./invariants.ts";
import { type Seam, Site } from "./site.ts";

const there = await available("mongo");
/** How long each run works, in ms; longer by hand. */
const RUN_MS = Number(process.env["PQ_WORK_MS"] ?? 3000);
/** Of its first run. */
const SEED = Number(process.env["PQ_WORK_SEED"] ?? Math.floor(Math.random() * 1e6));
const BACKENDS = 3;
/** Calls that each backend has under way. */
const HANDS = 3;
/** In ms. Those of some jobs are shorter, so that they run out. */
const LEASE = 1000;
/** After so long everything that was put has fallen due, in ms. */
const QUIET = 1500;

class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed % 2_147_483_646) + 1;
  }

  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % below;
  }

  /** Once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

function randomJob(dice: Dice): NewJob {
  return newJob({
    payload: "x".repeat(dice.once(20) ? 5000 : dice.below(40)),
    priority: dice.once(4) ? dice.below(3) - 1 : 0,
    urgent: dice.once(10),
    due: dice.once(5) ? { in: dice.below(400) } : null,
    ttl: dice.once(8) ? 1 + dice.below(600) : null,
    lease: dice.once(10) ? 50 + dice.below(300) : null,
    key: dice.once(4) ? `key-${dice.below(8)}` : null,
    group: dice.once(2) ? `group-${dice.below(5)}` : null,
    maxAttempts: 1 + dice.below(4),
    keepResult: dice.once(5) ? 1 + dice.below(500) : null,
  });
}

const settlements: readonly ((dice: Dice) => Omit<Settlement, "id" | "fence">)[] = [
  (dice) => ({ type: "ack", result: dice.once(2) ? Buffer.from("result") : null }),
  () => ({ type: "ack", result: null }),
  () => ({ type: "ack", result: null }),
  (dice) => ({ type: "release", delay: dice.once(2) ? 0 : dice.below(200) }),
  () => ({ type: "requeue" }),
  (dice) => ({ type: "fail", delay: dice.once(2) ? 0 : dice.below(200), error: "e" }),
  (dice) => ({ type: "bury", error: dice.once(2) ? "b" : null }),
];

/** One pair of hands: calls of all kinds, one after the other. Gives how many calls were given up, since others were quicker. */
async function work({ backend, name: queue }: Seam, dice: Dice, until: number): Promise<number> {
  let givenUp = 0;
  const held: DeliveredJob[] = [];
  const ids: NewJob["id"][] = [];
  const put = async (bound: Partial<PutParams>): Promise<void> => {
    const jobs = Array.from({ length: 1 + dice.below(dice.once(6) ? 30 : 3) }, () => randomJob(dice));
    ids.push(...jobs.map(({ id }) => id));
    const plain = { after: null, maxSize: null, partial: false, transaction: null };
    await backend.put({ ...plain, request: newRequestId(), queue, jobs, ...bound });
  };
  const some = <T>(values: T[]): T[] => values.splice(-1 - dice.below(4));
  const request = newRequestId;
  const calls: readonly (() => Promise<unknown>)[] = [
    () => put({}),
    () => put({ maxSize: 20 + dice.below(60), partial: dice.once(2) }),
    async () => {
      const limit = 1 + dice.below(dice.once(5) ? 40 : 4);
      held.push(...(await backend.take({ request: request(), queue, limit, lease: LEASE })));
    },
    async () => {
      const items = some(held).map(({ id, fence }) => ({ id, fence, ...dice.of(settlements)(dice) }) as Settlement);
      if (items.length > 0) await backend.settle({ request: request(), queue, items });
    },
    async () => {
      const items = held.slice(0, 3).map(({ id, fence }) => ({ id, fence, lease: LEASE, progress: Buffer.from("p") }));
      if (items.length > 0) await backend.touch({ request: request(), queue, items });
    },
  ];
  const rare: readonly (() => Promise<unknown>)[] = [
    () => backend.control({ request: request(), queue, type: "kick", limit: 1 + dice.below(20) }),
    () => backend.control({ request: request(), queue, type: "dig", ids: some(ids) }),
    () => backend.control({ request: request(), queue, type: "delete", ids: some(ids) }),
    async () => {
      await backend.control({ request: request(), queue, type: "pause" });
      await backend.control({ request: request(), queue, type: "resume" });
    },
    () => backend.stats(queue),
    () => backend.read({ queue, state: dice.of(["ready", "delayed", "buried", "done"]), limit: 50, cursor: null }),
  ];
  while (Date.now() < until) {
    if (dice.once(200)) await backend.control({ request: request(), queue, type: "truncate" });
    try {
      await dice.of(dice.once(8) ? rare : calls)();
    } catch (error) {
      // Who loses all races, or is late, gives up.
      if (!isPqError(error, "UNAVAILABLE") && !isPqError(error, "OUTCOME_UNKNOWN")) throw error;
      givenUp++;
    }
  }
  return givenUp;
}

/** Until nothing is left to do but what only time brings. */
async function settle(seam: Seam, db: Db): Promise<void> {
  const left = { $or: [{ todo: { $exists: true } }, { wake: { $lte: new Date() } }], pending: { $exists: false } };
  for (let tries = 0; tries < 50; tries++) {
    await seam.stats();
    if ((await db.collection("pq.pages").countDocuments({ q: seam.name, ...left })) === 0) return;
  }
}

describe.skipIf(!there.available)("what is stored", () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start("memory");
  });

  afterAll(async () => site.close());

  test.each([SEED, SEED + 1])(
    "agrees with itself after random work, seed %i",
    async (seed) => {
      const name = `q${seed}`;
      const seams = await Promise.all(Array.from({ length: BACKENDS }, () => site.queue(name)));
      const until = Date.now() + RUN_MS;
      const hands = seams.flatMap((seam, at) =>
        Array.from({ length: HANDS }, (_, hand) => work(seam, new Dice(seed * 100 + at * 10 + hand), until)),
      );
      const brokenOff = (await Promise.all(hands)).some((givenUp) => givenUp > 0);
      expect(await broken(site.db, name, { brokenOff })).toEqual([]);
      await seams[0]!.control("resume");
      await new Promise((resolve) => setTimeout(resolve, QUIET));
      await settle(seams[0]!, site.db);
      expect(await broken(site.db, name, { settled: true, brokenOff })).toEqual([]);
      expect(seams.flatMap(({ backend }) => backend.events.filter(({ type }) => type === "damage"))).toEqual([]);
    },
    RUN_MS + 60_000,
  );

  const wrongs: Readonly<Record<string, (db: Db, q: string) => Promise<unknown>>> = {
    "a page that hides its jobs": (db, q) => db.collection("pq.pages").updateOne({ q }, { $unset: { next: "" } }),
    "a sum that is wrong": (db, q) => db.collection("pq.pages").updateOne({ q }, { $inc: { "c.ready": 1 } }),
    "a name that is missing": (db, q) => db.collection("pq.pages").updateOne({ q }, { $pop: { names: 1 } }),
    "a payload that is missing": (db, q) => db.collection("pq.bodies").deleteOne({ q }),
    "a payload without a page": (db, q) => db.collection("pq.pages").deleteOne({ q, body: { $exists: false } }),
    "a lane that is missing": (db, q) => db.collection("pq.lanes").deleteOne({ q }),
    "a lane without a page": (db, q) => db.collection("pq.lanes").updateOne({ q }, { $set: { page: "gone" } }),
    "a turn that is missing": (db, q) => db.collection("pq.groups").deleteOne({ q }),
    "a turn of another": (db, q) => db.collection("pq.groups").updateOne({ q }, { $inc: { index: 1 } }),
    "a head that is missing": (db, q) => db.collection("pq.heads").deleteMany({ q }),
    "a number that was never drawn": (db, q) => db.collection("pq.heads").updateOne({ q }, { $set: { n: 0 } }),
    "pages that are being folded": (db, q) =>
      db.collection("pq.heads").updateOne({ q }, { $set: { fold: { v: 1, pages: ["p"] } } }),
  };

  test.each(Object.entries(wrongs))("is seen to be wrong: %s", async (title, spoil) => {
    const seam = await site.queue(title);
    await seam.put(newJob({ group: "g", key: "k" }), newJob({ group: "g" }));
    await seam.put(newJob({ payload: "x".repeat(5000), group: "g" }), newJob("b"));
    expect(await broken(site.db, title, { settled: true })).toEqual([]);
    await spoil(site.db, title);
    expect(await broken(site.db, title, { settled: true })).not.toEqual([]);
  });
});
