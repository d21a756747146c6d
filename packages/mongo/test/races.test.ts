/**
 * Races in thousands: several processes on a store in memory, where each document that a command reads or writes is a step of its own. After every
 * write what must always be true is looked at; each process may die after any step. All follows from the seed that a failure tells; PQ_SEED
 * and PQ_SEEDS run others, and more of them. That a server does the same is tested in `groups.test.ts` and `capacity.test.ts`.
 */
import { type JobId, type LeaseProof, newJobId, newRequestId, type NewJob, type PutOutcome } from "@pq/core/backend";
import { newJob } from "@pq/core/testing";
import { describe, expect, test, vi } from "vitest";
import { isMember } from "../src/lanes.ts";
import type { PageJob } from "../src/page/job.ts";
import { catchUp } from "../src/page/life.ts";
import type { Page } from "../src/page/page.ts";
import { comparePlaces, comparePositions, positionBytes } from "../src/page/place.ts";
import { type GroupDocument, groupId, type LaneDocument, laneId, pageId } from "../src/schema.ts";
import { MemoryStore } from "./memory-store.ts";
import { Dice } from "./dice.ts";
import { ack, type Actor, inMemory, Stage, type Way } from "./stage.ts";

// All that is left to chance follows from the seed: nobody sleeps, and nobody draws lots.
vi.mock("node:crypto", async (original) => ({ ...(await original<object>()), randomInt: () => 0 }));
vi.mock("@pq/core/backend", async (original) => ({ ...(await original<object>()), sleep: () => Promise.resolve() }));

const SEEDS = Number(process.env["PQ_SEEDS"] ?? 300);
const SEED = Number(process.env["PQ_SEED"] ?? Math.floor(Math.random() * 1e6));
/** Seeds that have failed once. */
const FAILED = [561_239];
const QUEUE = "q";
/** Longer than all delays and leases of jobs here, in ms. */
const QUIET = 300;

/** A store in memory, and who works on it. */
interface Scene {
  readonly store: MemoryStore;
  readonly stage: Stage;
  readonly dice: Dice;
}

function newScene(seed: number): Scene {
  const dice = new Dice(seed);
  const store = new MemoryStore((values) => shuffled(values, dice));
  return { store, stage: new Stage(inMemory(store), QUEUE, seed), dice };
}

function shuffled<T>(values: readonly T[], dice: Dice): T[] {
  const left = [...values];
  return values.map(() => left.splice(dice.below(left.length), 1)[0]!);
}

/** Run this for many seeds, one after the other, and for those that have failed once. */
async function forSeeds(run: (scene: Scene, seed: number) => Promise<void>): Promise<void> {
  for (const seed of [...FAILED, ...Array.from({ length: SEEDS }, (_, at) => SEED + at)]) {
    try {
      await run(newScene(seed), seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

/** Let processes work, each of which may die, while time passes and what must be true is looked at after each write. */
async function race(
  { store, stage, dice }: Scene,
  works: readonly ((actor: Actor) => Promise<void>)[],
  check: () => Promise<void>,
): Promise<void> {
  const haste = dice.of([5, 20, 1000]);
  let seen = -1;
  const between = async (): Promise<void> => {
    if (dice.once(haste)) store.now += 1 + dice.below(8);
    if (store.writes === seen) return;
    seen = store.writes;
    await check();
  };
  const lives = works.map((work) => {
    const actor = stage.actor();
    if (dice.once(3)) actor.dieIn(dice.below(60));
    return () => work(actor);
  });
  await stage.run(lives, { steps: 1, run: between });
}

const isOver = ({ expiresAt }: PageJob, now: number): boolean => expiresAt !== null && expiresAt <= now;

interface Member {
  readonly page: Page;
  readonly job: PageJob;
}

/** What is wrong with the groups, at any moment. */
async function groupFaults({ store, stage }: Scene): Promise<string[]> {
  const pages = await stage.pages();
  const all = pages.flatMap((page) => page.jobs.map((job) => ({ page, job })));
  const groups = new Set(all.flatMap(({ job }) => job.group ?? []));
  return [...groups].flatMap((group) => {
    const jobs = all.filter(({ job }) => job.group === group);
    // Who is over by the time is no member, written down or not.
    const members = jobs
      .filter(({ job }) => isMember(job) && !isOver(job, store.now))
      .toSorted((a, b) => comparePositions(a.job, b.job));
    const undone = new Set(pages.filter(({ todo }) => todo.has(group)));
    const isForgotten = undone.size === 0 && !jobs.some(({ job }) => isDue(job, store.now));
    const having = jobs.filter(({ job }) => job.armed);
    const found = [...turnFaults(store, group, having), ...laneFaults(store, group, members, undone)];
    if (having.length === 0 && members[0]?.job.state === "ready" && isForgotten) found.push("nobody will arm the head");
    const before = having.flatMap(({ job }) =>
      job.state === "ready" && !isOver(job, store.now) ? ahead(members, job) : [],
    );
    if (!before.every(({ page }) => undone.has(page))) found.push("a member is armed before another");
    return found.map((text) => `${group}: ${text}`);
  });
}

function isDue(job: PageJob, now: number): boolean {
  return isOver(job, now) || (job.until !== null && job.until <= now);
}

function ahead(members: readonly Member[], of: PageJob): Member[] {
  return members.filter(({ job }) => comparePositions(job, of) < 0);
}

function turnFaults(store: MemoryStore, group: string, having: readonly Member[]): string[] {
  const turn = store.documents("groups").get(groupId(QUEUE, group)) as GroupDocument | undefined;
  const others = having.filter(({ page, job }) => turn?.page !== page.id || turn.index !== job.index);
  return [
    ...(having.length > 1 ? ["two have the turn"] : []),
    ...others.map(() => "a job is armed whose turn it is not"),
  ];
}

function laneFaults(
  store: MemoryStore,
  group: string,
  members: readonly Member[],
  undone: ReadonlySet<Page>,
): string[] {
  return members.flatMap(({ page, job }) => {
    if (undone.has(page)) return [];
    const lane = store.documents("lanes").get(laneId(page.id, group)) as LaneDocument | undefined;
    if (lane === undefined) return ["a page is not in the lane"];
    return Buffer.compare(lane.p.buffer, positionBytes(job).buffer) > 0 ? ["a page stands too late in the lane"] : [];
  });
}

/** Random calls of one process. */
async function work(actor: Actor, { dice }: Scene, held: LeaseProof[], ids: JobId[]): Promise<void> {
  const job = (): NewJob =>
    newJob({
      payload: "",
      group: dice.of(["g", "g", "h", null]),
      urgent: dice.once(4),
      due: dice.once(6) ? { in: 1 + dice.below(30) } : null,
      ttl: dice.once(7) ? 1 + dice.below(40) : null,
      lease: dice.once(5) ? 3 + dice.below(20) : null,
      maxAttempts: 1 + dice.below(3),
      keepResult: dice.once(9) ? 10 : null,
    });
  const ways: readonly Way[] = [
    ack,
    ack,
    { type: "release", delay: dice.of([0, 1 + dice.below(20)]) },
    { type: "requeue" },
    { type: "fail", delay: dice.of([0, 1 + dice.below(20)]), error: "e" },
    { type: "bury", error: null },
    { type: "bury", error: null },
  ];
  for (let calls = 1 + dice.below(5); calls > 0; calls--) {
    const kind = dice.below(20);
    if (kind < 6) {
      const jobs = Array.from({ length: 1 + dice.below(3) }, job);
      ids.push(...jobs.map(({ id }) => id));
      await actor.put(...jobs);
    } else if (kind < 11) held.push(...(await actor.take(1 + dice.below(3))));
    else if (kind < 16) await actor.settle(dice.of(ways), ...held.splice(0, 1 + dice.below(2)));
    else if (kind < 17) await actor.remove(...ids.slice(-1 - dice.below(3)).slice(0, 1));
    else if (kind < 19) await actor.kick(1 + dice.below(3));
    else await actor.lookAfter();
  }
}

describe("groups", { timeout: 300_000 }, () => {
  test("whoever races and dies, one member has the turn at most, nobody comes before the head, and no group is forgotten", async () => {
    await forSeeds(async (scene) => {
      const { store, stage, dice } = scene;
      const held: LeaseProof[] = [];
      const ids: JobId[] = [];
      const check = async (): Promise<void> => expect(await groupFaults(scene)).toEqual([]);
      for (let times = 0; times < 3; times++) {
        const processes = Array.from(
          { length: 2 + dice.below(3) },
          () => (actor: Actor) => work(actor, scene, held, ids),
        );
        await race(scene, processes, check);
        store.now += dice.below(30);
      }
      store.now += QUIET;
      await stage.alone(async (actor) => {
        await actor.lookAfter();
        await check();
        expect((await stage.pages()).flatMap(({ todo }) => [...todo])).toEqual([]);
      });
    });
  });

  /** The jobs that come next, by all that is stored and by the time. */
  async function next({ store, stage }: Scene, limit: number): Promise<JobId[]> {
    const pages = await stage.pages();
    for (const page of pages) catchUp(page, store.now);
    const jobs = pages.flatMap((page) => page.jobs);
    const groups = [...new Set(jobs.map(({ group }) => group))].map((group) =>
      jobs.filter((job) => job.group === group),
    );
    const free = groups.flatMap((members) => {
      if (members[0]!.group === null) return members.filter(({ state }) => state === "ready");
      if (members.some(({ state }) => state === "leased")) return [];
      const head = members.filter(isMember).toSorted(comparePositions)[0];
      return head?.state === "ready" ? [head] : [];
    });
    return free
      .toSorted(comparePlaces)
      .slice(0, limit)
      .map(({ id }) => id);
  }

  test("alone, a take gives exactly the first, whatever has fallen due", async () => {
    await forSeeds(async (scene) => {
      const { store, stage, dice } = scene;
      await stage.alone(async (actor) => {
        const held: LeaseProof[] = [];
        const ids: JobId[] = [];
        for (let rounds = 0; rounds < 8; rounds++) {
          await work(actor, scene, held, ids);
          store.now += dice.below(15);
          const limit = 1 + dice.below(3);
          const expected = await next(scene, limit);
          const taken = await actor.take(limit);
          held.push(...taken);
          expect(taken.map(({ id }) => id)).toEqual(expected);
        }
      });
    });
  });
});

describe("puts with maxSize", { timeout: 300_000 }, () => {
  const WAITS = new Set<string>(["ready", "delayed", "leased"]);

  test("whoever races and dies, it is never exceeded, what was answered is true, and room is used", async () => {
    await forSeeds(async (scene) => {
      const { store, stage, dice } = scene;
      const maxSize = 1 + dice.below(6);
      const ids = Array.from({ length: 6 }, newJobId);
      const params = Array.from({ length: dice.of([4, 20]) }, () => {
        const some = new Set(
          Array.from({ length: 1 + dice.below(3) }, () => (dice.once(2) ? dice.of(ids) : newJobId())),
        );
        const fields = { payload: "", group: dice.once(3) ? "g" : null, ttl: dice.once(5) ? 1 + dice.below(20) : null };
        const jobs = [...some].map((id) => newJob({ ...fields, id, key: dice.once(5) ? "key" : null }));
        return { request: newRequestId(), jobs, maxSize, partial: dice.once(2) };
      });
      const answers: { readonly put: (typeof params)[number]; readonly outcomes: readonly PutOutcome[] }[] = [];
      const visible = async (): Promise<Page[]> => (await stage.pages()).filter(({ pending }) => !pending);
      const size = async (): Promise<number> => {
        const jobs = (await visible()).flatMap((page) => page.jobs);
        return jobs.filter(({ state }) => WAITS.has(state)).length;
      };
      const process = async (actor: Actor): Promise<void> => {
        for (let calls = 1 + dice.below(4); calls > 0; calls--) {
          const put = dice.of(params);
          if (dice.once(4)) await actor.settle(ack, ...(await actor.take(2)));
          else answers.push({ put, outcomes: await actor.putAs(put) });
        }
      };
      const processes = Array.from({ length: 2 + dice.below(4) }, () => process);
      await race(scene, processes, async () => expect(await size()).toBeLessThanOrEqual(maxSize));
      const pages = new Map((await visible()).map((page) => [page.id, page]));
      for (const { put, outcomes } of answers) {
        const stored = new Set(pages.get(pageId(QUEUE, put.request))?.jobs.map(({ id }) => id));
        expect(put.jobs.map(({ id }) => stored.has(id))).toEqual(outcomes.map(({ status }) => status === "added"));
      }
      // A put that was broken off is over after a minute.
      store.now += 61_000;
      await stage.alone(async (actor) => {
        await actor.lookAfter();
        expect((await stage.pages()).filter(({ pending }) => pending)).toEqual([]);
        const jobs = Array.from({ length: maxSize + 1 }, () => newJob({ payload: "" }));
        await actor.putAs({ jobs, maxSize, partial: true });
        expect(await size()).toBe(maxSize);
      });
    });
  });
});
