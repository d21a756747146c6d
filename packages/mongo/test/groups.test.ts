/**
 * Groups, with several processes that run one command at a time in a random order and die after any of them. Seeds are told when a test fails;
 * PQ_SEED and PQ_SEEDS run others, and more of them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { JobId, LeaseProof, NewJob } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { Binary } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isMember } from "../src/lanes.ts";
import { comparePositions } from "../src/page/place.ts";
import { broken } from "./invariants.ts";
import { Dice } from "./dice.ts";
import { Site } from "./site.ts";
import { ack, type Actor, onServer, Stage, type Way } from "./stage.ts";

const there = await available("mongo");
const SEEDS = Number(process.env["PQ_SEEDS"] ?? 4);
const SEED = Number(process.env["PQ_SEED"] ?? Math.floor(Math.random() * 1e6));
/** Seeds that have failed once. */
const FAILED = [743_596];
/** More commands than any call of these has. */
const MOST_COMMANDS = 60;

describe.skipIf(!there.available)("groups", { timeout: 300_000 }, () => {
  let site: Site;
  let stages = 0;

  beforeAll(async () => {
    site = await Site.start("memory");
    await site.backend();
  });

  afterAll(async () => site.close());

  const newStage = (seed = 0): Stage => new Stage(onServer(site.db), `q${stages++}`, seed);

  const faults = (stage: Stage, settled: boolean): Promise<string[]> =>
    broken(site.db, stage.queue, { settled, brokenOff: true });

  /** The members of each group, in order. */
  async function lanes(stage: Stage): Promise<Map<string, JobId[]>> {
    const members = (await stage.pages()).flatMap(({ jobs }) => jobs.filter(isMember)).toSorted(comparePositions);
    const lanes = new Map<string, JobId[]>();
    for (const { group, id } of members) if (group !== null) lanes.set(group, [...(lanes.get(group) ?? []), id]);
    return lanes;
  }

  /** Take and ack until nothing comes: all of each group, in order and one by one. Then it is nobody's turn. */
  async function drain(stage: Stage, actor: Actor): Promise<void> {
    const expected = await lanes(stage);
    const got = new Map<string, JobId[]>();
    for (let held = await actor.take(10); held.length > 0; held = await actor.take(10)) {
      const groups = held.flatMap(({ group }) => group ?? []);
      expect(new Set(groups).size).toBe(groups.length);
      for (const { group, id } of held) if (group !== null) got.set(group, [...(got.get(group) ?? []), id]);
      await actor.settle(ack, ...held);
    }
    expect(got).toEqual(expected);
    const turns = site.db.collection("pq.groups").find({ q: stage.queue, g: { $in: [...got.keys()] } });
    expect(await turns.toArray()).toEqual([]);
  }

  async function leased(stage: Stage): Promise<JobId[]> {
    const jobs = (await stage.pages()).flatMap((page) => page.jobs);
    return jobs.filter(({ state }) => state === "leased").map(({ id }) => id);
  }

  const member = (fields: Partial<Omit<NewJob, "payload">> = {}): NewJob =>
    newJob({ group: "g", payload: "", ...fields });

  /** What a process may do to a group of two pages, of which it has leased the head. */
  const calls: Readonly<
    Record<string, (actor: Actor, head: LeaseProof, others: readonly NewJob[]) => Promise<unknown>>
  > = {
    "a put": (actor) => actor.put(member(), member({ group: "h" })),
    "a put of an urgent one": (actor) => actor.put(member({ urgent: true })),
    "an ack": (actor, head) => actor.settle(ack, head),
    "a release": (actor, head) => actor.settle({ type: "release", delay: 0 }, head),
    "a requeue": (actor, head) => actor.settle({ type: "requeue" }, head),
    "a burying and a kick": async (actor, head) => {
      await actor.settle({ type: "bury", error: null }, head);
      await actor.kick();
    },
    "a delete of all but one": (actor, { id }, [second]) => actor.remove(second!.id, id),
    "an ack, a take, and an urgent one": async (actor, head) => {
      await actor.settle(ack, head);
      await Promise.all([actor.take(1), actor.put(member({ urgent: true }))]);
    },
  };

  test.each(Object.entries(calls))("%s may be broken off anywhere", async (_, act) => {
    let commands = 1;
    for (let done = false; !done; commands++) {
      const stage = newStage(commands);
      const [first, second, third] = [member(), member(), member()];
      const doomed = stage.actor();
      await stage.run([
        async () => {
          await doomed.put(first, second);
          await doomed.put(third);
          const [head] = await doomed.take(1);
          doomed.dieIn(commands);
          await act(doomed, head!, [second, third]);
        },
      ]);
      done = !doomed.dead;
      expect(await faults(stage, false)).toEqual([]);
      await stage.alone(async (actor) => {
        await actor.lookAfter();
        expect(await faults(stage, true)).toEqual([]);
        await actor.remove(...(await leased(stage)));
        await drain(stage, actor);
      });
    }
    expect(commands).toBeGreaterThan(3);
    expect(commands).toBeLessThan(MOST_COMMANDS);
  });

  test("what was left undone is done by whoever takes next", async () => {
    const stage = newStage();
    const doomed = stage.actor();
    const jobs = [member(), member()];
    await stage.run([
      async () => {
        await doomed.put(...jobs);
        const held = await doomed.take(1);
        doomed.dieIn(1);
        await doomed.settle(ack, ...held);
      },
    ]);
    expect((await stage.pages()).flatMap(({ todo }) => [...todo])).toEqual(["g"]);
    await stage.alone((actor) => drain(stage, actor));
  });

  test("a page that cannot be read does not keep the turn of its group", async () => {
    const stage = newStage();
    const jobs = [member(), member()];
    await stage.alone(async (actor) => {
      for (const job of jobs) await actor.put(job);
      await site.db.collection("pq.pages").updateOne({ q: stage.queue }, { $set: { s: new Binary(Buffer.from("?")) } });
      expect(await actor.take(1)).toEqual([]);
      expect((await actor.take(1)).map(({ id }) => id)).toEqual([jobs[1]!.id]);
    });
    expect(stage.reports).toHaveLength(1);
  });

  test("a member that falls due comes before those that were put later, though nobody has looked since", async () => {
    const late = member({ due: { in: 60 } });
    const urgent = member({ urgent: true, due: { in: 120 }, group: "h" });
    const taken = await newStage().alone(async (actor) => {
      await actor.put(late, urgent, member({ group: "h" }));
      await sleep(150);
      await actor.put(member());
      return actor.take(2);
    });
    expect(taken.map(({ id }) => id)).toEqual([urgent.id, late.id]);
  });

  const ways = (dice: Dice): Way =>
    dice.of<Way>([
      ack,
      ack,
      { type: "release", delay: 0 },
      { type: "release", delay: 30 },
      { type: "requeue" },
      { type: "fail", delay: 20, error: "e" },
      { type: "bury", error: null },
    ]);

  /** One process: calls of all kinds, one after the other. */
  async function work(actor: Actor, dice: Dice, ids: JobId[], calls: number): Promise<void> {
    const held: LeaseProof[] = [];
    const jobs = (): NewJob[] =>
      Array.from({ length: 1 + dice.below(3) }, () =>
        member({
          group: dice.of(["g", "g", "h", null]),
          urgent: dice.once(5),
          due: dice.once(5) ? { in: 1 + dice.below(100) } : null,
          ttl: dice.once(8) ? 1 + dice.below(300) : null,
          lease: dice.once(5) ? 20 + dice.below(100) : null,
          maxAttempts: 1 + dice.below(3),
        }),
      );
    for (let call = 0; call < calls; call++) {
      const kind = dice.below(10);
      if (kind < 3) {
        const some = jobs();
        ids.push(...some.map(({ id }) => id));
        await actor.put(...some);
      } else if (kind < 6) held.push(...(await actor.take(1 + dice.below(3))));
      else if (kind < 8) await actor.settle(ways(dice), ...held.splice(0, 2));
      else if (kind < 9) await actor.kick(2);
      else if (ids.length > 0) await actor.remove(dice.of(ids));
    }
  }

  test.each([...FAILED, ...Array.from({ length: SEEDS }, (_, at) => SEED + at)])(
    "processes that race for two groups and die leave each in order, seed %i",
    async (seed) => {
      const stage = newStage(seed);
      const dice = new Dice(seed);
      const ids: JobId[] = [];
      await stage.alone((actor) => actor.put(member()));
      const works = Array.from({ length: 4 }, (_, at) => {
        const actor = stage.actor();
        if (at > 0) actor.dieIn(20 + dice.below(100));
        return () => work(actor, new Dice(seed * 10 + at), ids, 12);
      });
      await stage.run(works, { steps: 10, run: async () => expect(await faults(stage, false)).toEqual([]) });
      await sleep(400);
      await stage.alone(async (actor) => {
        await actor.lookAfter();
        expect(await faults(stage, true)).toEqual([]);
        await actor.remove(...(await leased(stage)));
        await actor.kick();
        await actor.lookAfter();
        await drain(stage, actor);
      });
    },
  );
});
