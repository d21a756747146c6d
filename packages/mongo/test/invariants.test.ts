/** Random work by three backends at once, and what is stored afterwards; and that the invariants see what is wrong. */
import { setTimeout as sleep } from "node:timers/promises";
import { FaultProxy, newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import type { Db } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { broken, statesOf } from "./invariants.ts";
import { Dice } from "./dice.ts";
import { Hand, harm, isOurs, untrue } from "./random-work.ts";
import { type Reporting, type Seam, Site } from "./site.ts";

const there = await available("mongo");
/** How long each run works, in ms; by hand longer, but less than a minute, after which pages forget what is over. */
const RUN_MS = Number(process.env["PQ_WORK_MS"] ?? 3000);
/** Of its first run. */
const SEED = Number(process.env["PQ_WORK_SEED"] ?? Math.floor(Math.random() * 1e6));
const BACKENDS = 3;
/** Calls that are under way. */
const HANDS = 9;
/** After so long everything that was put has fallen due, in ms. */
const QUIET = 1500;

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

  test.each([
    ["", SEED],
    [", with commands that are lost", SEED + 1],
  ])(
    "agrees with itself after random work%s, seed %i",
    async (faults, seed) => {
      const name = `q${seed}`;
      const { host, port } = site.server;
      const proxies: FaultProxy[] = [];
      const backends: Reporting[] = [];
      for (let count = 0; count < BACKENDS; count++) {
        const proxy = await FaultProxy.listen({ host, port, isRequest: isOurs });
        proxies.push(proxy);
        backends.push(await site.backend({ url: `mongodb://${proxy.host}:${proxy.port}/?directConnection=true` }));
      }
      const until = Date.now() + RUN_MS;
      const hands = Array.from({ length: HANDS }, (_, at) => new Hand(seed * 100 + at, name));
      await Promise.all([
        ...hands.map((hand) => hand.work(backends, until)),
        faults === "" ? undefined : harm(proxies, new Dice(seed), until),
      ]);
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await sleep(QUIET);
      const brokenOff = hands.some(({ givenUp }) => givenUp > 0);
      expect(await broken(site.db, name, { brokenOff })).toEqual([]);
      const seam = await site.queue(name);
      const states = await statesOf(site.db, name);
      expect(hands.flatMap((hand) => untrue(hand, states))).toEqual([]);
      await seam.control("resume");
      await settle(seam, site.db);
      expect(await broken(site.db, name, { settled: true, brokenOff })).toEqual([]);
      expect(
        [...backends, seam.backend].flatMap(({ events }) => events.filter(({ type }) => type === "damage")),
      ).toEqual([]);
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
