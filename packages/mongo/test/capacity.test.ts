/**
 * Puts with `maxSize`, by several processes that run one command at a time in a random order and die after any of them. Seeds are told when a
 * test fails; PQ_SEED and PQ_SEEDS run others, and more of them.
 */
import { newJobId, newRequestId, type NewJob, type PutOutcome, type RequestId } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "../src/page/page.ts";
import { pageId } from "../src/schema.ts";
import { broken } from "./invariants.ts";
import { Dice } from "./dice.ts";
import { Site } from "./site.ts";
import { ack, type Actor, onServer, Stage } from "./stage.ts";

const there = await available("mongo");
const SEEDS = Number(process.env["PQ_SEEDS"] ?? 4);
const SEED = Number(process.env["PQ_SEED"] ?? Math.floor(Math.random() * 1e6));
/** More commands than any call of these has. */
const MOST_COMMANDS = 60;

/** A put as its caller knows it. */
interface Bounded {
  readonly request: RequestId;
  readonly jobs: readonly NewJob[];
  readonly maxSize: number;
  readonly partial: boolean;
}

describe.skipIf(!there.available)("puts with maxSize", { timeout: 300_000 }, () => {
  let site: Site;
  let stages = 0;

  beforeAll(async () => {
    site = await Site.start("memory");
    await site.backend();
  });

  afterAll(async () => site.close());

  const newStage = (seed = 0): Stage => new Stage(onServer(site.db), `q${stages++}`, seed);

  const bounded = (maxSize: number, jobs: readonly NewJob[], partial = false): Bounded => ({
    request: newRequestId(),
    jobs,
    maxSize,
    partial,
  });

  const jobs = (count: number): NewJob[] => Array.from({ length: count }, () => newJob({ payload: "" }));

  const visible = async (stage: Stage): Promise<Page[]> => (await stage.pages()).filter(({ pending }) => !pending);

  /** What `maxSize` limits. */
  async function size(stage: Stage): Promise<number> {
    const all = (await visible(stage)).flatMap((page) => page.jobs);
    return all.filter(({ state }) => ["ready", "delayed", "leased"].includes(state)).length;
  }

  /** What was answered is what anybody sees. */
  async function confirm(stage: Stage, { request, jobs }: Bounded, outcomes: readonly PutOutcome[]): Promise<void> {
    const page = (await visible(stage)).find(({ id }) => id === pageId(stage.queue, request));
    const stored = new Set(page?.jobs.map(({ id }) => id));
    expect(jobs.map(({ id }) => stored.has(id))).toEqual(outcomes.map(({ status }) => status === "added"));
  }

  /** What may be under way when another comes. */
  const puts: Readonly<Record<string, Bounded>> = {
    "one that fits": bounded(4, jobs(2)),
    "one of which a part fits": bounded(4, [...jobs(2), newJob({ group: "g" }), newJob({ group: "g" })], true),
    "one that does not fit": bounded(4, jobs(4)),
  };

  test.each(Object.entries(puts))("%s may be broken off anywhere, and come again", async (_, params) => {
    let commands = 1;
    for (let done = false; !done; commands++) {
      const stage = newStage();
      const doomed = stage.actor();
      await stage.run([
        async () => {
          await doomed.put(newJob());
          doomed.dieIn(commands);
          await doomed.putAs(params);
        },
      ]);
      done = !doomed.dead;
      await stage.alone(async (actor) => {
        // Whoever comes next sees it as a whole or not at all.
        const other = bounded(4, jobs(4), true);
        if (commands % 2 === 0) await confirm(stage, other, await actor.putAs(other));
        expect(await size(stage)).toBeLessThanOrEqual(4);
        const outcomes = await actor.putAs(params);
        await confirm(stage, params, outcomes);
        expect(await actor.putAs(params)).toEqual(outcomes);
        expect(await size(stage)).toBeLessThanOrEqual(4);
        await actor.lookAfter();
        expect(await broken(site.db, stage.queue, { settled: true })).toEqual([]);
      });
    }
    expect(commands).toBeGreaterThan(3);
    expect(commands).toBeLessThan(MOST_COMMANDS);
  });

  test("a put that is made twice at once is stored once, and answered alike", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const stage = newStage(seed);
      const params = bounded(3, jobs(3));
      const answers: (readonly PutOutcome[])[] = [];
      await stage.alone((actor) => actor.put(newJob()));
      await stage.run(
        Array.from({ length: 3 }, () => async () => void answers.push(await stage.actor().putAs(params))),
        { steps: 10, run: async () => expect(await size(stage)).toBeLessThanOrEqual(3) },
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      await confirm(stage, params, answers[0]!);
    }
  });

  test("a page is not admitted because one of the same id was, which is withdrawn since", async () => {
    const stage = newStage();
    const params = bounded(2, jobs(2));
    await stage.alone(async (actor) => {
      await actor.putAs(params);
      await site.db.collection("pq.pages").updateOne({ q: stage.queue }, { $set: { pending: true }, $inc: { n: 100 } });
      expect(await actor.putAs(bounded(2, params.jobs))).toEqual([{ status: "added" }, { status: "added" }]);
    });
    expect(await size(stage)).toBe(2);
  });

  test("who needs the name of a job that is not admitted yet gets it, or hears of its holder", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const stage = newStage(seed);
      const id = newJobId();
      const rivals = [
        bounded(5, [newJob({ id })]),
        bounded(5, [newJob({ id })]),
        { ...bounded(5, [newJob({ id })]), maxSize: null },
      ];
      const answers: string[] = [];
      await stage.run(
        rivals.map((params) => async () => {
          const outcomes = await stage.actor().putAs(params);
          answers.push(...outcomes.map(({ status }) => status));
        }),
      );
      expect(answers.toSorted()).toEqual(["added", "duplicate", "duplicate"]);
      expect(await size(stage)).toBe(1);
    }
  });

  /** One process: puts with a limit, takes and acks. */
  async function work(stage: Stage, actor: Actor, dice: Dice, pool: readonly Bounded[]): Promise<void> {
    for (let call = 0; call < 6; call++) {
      if (dice.once(4)) await actor.settle(ack, ...(await actor.take(2)));
      else {
        const params = dice.of(pool);
        const outcomes = await actor.putAs(params);
        if (!actor.dead) await confirm(stage, params, outcomes);
      }
    }
  }

  test.each(Array.from({ length: SEEDS }, (_, at) => SEED + at))(
    "never exceed it, whoever races and dies, and use all of it, seed %i",
    async (seed) => {
      const stage = newStage(seed);
      const dice = new Dice(seed);
      const maxSize = 1 + dice.below(6);
      const ids = Array.from({ length: 5 }, newJobId);
      const pool = Array.from({ length: 12 }, () => {
        const distinct = new Set(
          Array.from({ length: 1 + dice.below(3) }, () => (dice.once(2) ? dice.of(ids) : newJobId())),
        );
        const some = [...distinct].map((id) => newJob({ id, payload: "", key: dice.once(4) ? "key" : null }));
        return bounded(maxSize, some, dice.once(2));
      });
      const works = Array.from({ length: 4 }, (_, at) => {
        const actor = stage.actor();
        if (at > 0) actor.dieIn(5 + dice.below(60));
        return () => work(stage, actor, new Dice(seed * 10 + at), pool);
      });
      const check = async (): Promise<void> => {
        expect(await size(stage)).toBeLessThanOrEqual(maxSize);
        expect(await broken(site.db, stage.queue, { brokenOff: true })).toEqual([]);
      };
      await stage.run(works, { steps: 10, run: check });
      await stage.alone((actor) => actor.putAs(bounded(maxSize, jobs(maxSize + 1), true)));
      expect(await size(stage)).toBe(maxSize);
    },
  );
});
