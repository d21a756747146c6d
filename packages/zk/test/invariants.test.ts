/** Random work by several backends on one queue, with cuts and lost messages. Afterwards all of them know the same queue, and nothing was lost. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Backend,
  type DeliveredJob,
  isPqError,
  type JobId,
  type JobState,
  newRequestId,
  type QueueStats,
  type Settlement,
  type StoredJob,
} from "@pq/core/backend";
import { crc32c } from "@pq/core/state";
import { eventually } from "@pq/core/testing";
import { available } from "@pq/services";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ThreadProxy } from "./proxy.ts";
import { Dice, newJob, type Seam, Site } from "./support.ts";

const there = await available("zk");
/** How long each run works, in ms; longer by hand. */
const RUN_MS = Number(process.env["PQ_WORK_MS"] ?? 4000);
const SEED = Number(process.env["PQ_WORK_SEED"] ?? Math.floor(Math.random() * 1e6));
const BACKENDS = 3;
const HANDS = 6;
const LEASE = 60_000;
const STATES = ["ready", "delayed", "leased", "buried", "done"] as const;

/** A pair of hands: puts, takes and settles; each call again until it is answered, by whichever backend. */
class Hand {
  readonly #dice: Dice;
  readonly #queue: string;
  readonly #backends: readonly Backend[];
  readonly #held: DeliveredJob[] = [];
  readonly added = new Set<JobId>();
  readonly refused = new Set<JobId>();
  readonly over = new Set<JobId>();
  again = 0;
  /** Jobs that were lost to others: sessions that ended. */
  lost = 0;

  constructor(seed: number, queue: string, backends: readonly Backend[]) {
    this.#dice = new Dice(seed);
    this.#queue = queue;
    this.#backends = backends;
  }

  async work(until: number): Promise<void> {
    while (Date.now() < until) {
      await this.#dice.of([() => this.#put(), () => this.#take(), () => this.#settle(), () => this.#touch()])();
    }
  }

  /** Make a call until it is answered. */
  async #make<T>(call: (backend: Backend) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call(this.#dice.of(this.#backends));
      } catch (error) {
        if (!isPqError(error, "UNAVAILABLE") && !isPqError(error, "OUTCOME_UNKNOWN")) throw error;
        this.again++;
        await sleep(20);
      }
    }
  }

  async #put(): Promise<void> {
    const dice = this.#dice;
    const jobs = Array.from({ length: 1 + dice.below(4) }, () =>
      newJob("x".repeat(dice.once(30) ? 300_000 : dice.below(200)), {
        priority: dice.below(3) - 1,
        urgent: dice.once(10),
        due: dice.once(5) ? { in: dice.below(500) } : null,
        key: dice.once(4) ? `key-${dice.below(8)}` : null,
        group: dice.once(4) ? `group-${dice.below(5)}` : null,
        keepResult: dice.once(6) ? LEASE : null,
        maxAttempts: 1 + dice.below(4),
      }),
    );
    const bound = dice.once(4) ? 40 : null;
    const params = { request: newRequestId(), after: null, queue: this.#queue, jobs, transaction: null };
    const outcomes = await this.#make((backend) => backend.put({ ...params, maxSize: bound, partial: true }));
    outcomes.forEach(({ status }, at) => (status === "added" ? this.added : this.refused).add(jobs[at]!.id));
  }

  async #take(): Promise<void> {
    const params = { request: newRequestId(), queue: this.#queue, limit: 1 + this.#dice.below(5), lease: LEASE };
    this.#held.push(...(await this.#make((backend) => backend.take(params))));
  }

  async #settle(): Promise<void> {
    const dice = this.#dice;
    const items = this.#held.splice(-1 - dice.below(4)).map(({ id, fence }): Settlement => {
      const proof = { id, fence };
      if (dice.once(5)) return { ...proof, type: "release", delay: dice.below(300) };
      if (dice.once(8)) return { ...proof, type: "fail", delay: 0, error: "e" };
      if (dice.once(20)) return { ...proof, type: "bury", error: null };
      return { ...proof, type: "ack", result: null };
    });
    if (items.length === 0) return;
    const params = { request: newRequestId(), queue: this.#queue, items };
    const outcomes = await this.#make((backend) => backend.settle(params));
    items.forEach(({ id, type }, at) => {
      if (outcomes[at] === "lost") this.lost++;
      else if (type === "ack" && outcomes[at] === "gone") this.over.add(id);
    });
  }

  async #touch(): Promise<void> {
    const items = this.#held
      .slice(-2)
      .map(({ id, fence }) => ({ id, fence, lease: LEASE, progress: Buffer.from("p") }));
    const params = { request: newRequestId(), queue: this.#queue, items };
    if (items.length > 0) await this.#make((backend) => backend.touch(params));
  }
}

async function harm(proxies: readonly ThreadProxy[], dice: Dice, until: number): Promise<void> {
  while (Date.now() < until) {
    await sleep(50 + dice.below(300));
    const { faults } = dice.of(proxies);
    if (dice.once(3)) faults.cut();
    else if (dice.once(2)) faults.loseReply();
    else faults.loseRequest();
  }
}

/** A job with a number in the place of its payload: to compare large ones takes long. */
type Seen = Omit<StoredJob, "payload"> & { readonly payload: number };

interface View {
  readonly stats: QueueStats;
  readonly lists: Readonly<Record<JobState, readonly Seen[]>>;
}

/** The queue as a backend knows it. */
async function viewOf(seam: Seam): Promise<View> {
  const stats = await seam.stats();
  const lists: Record<JobState, Seen[]> = { ready: [], delayed: [], leased: [], buried: [], done: [] };
  for (const state of STATES) {
    lists[state] = (await seam.list(state)).map((job) => ({ ...job, payload: crc32c(Buffer.from(job.payload)) }));
  }
  return { stats, lists };
}

describe.skipIf(!there.available)("after random work", () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start();
  });
  afterAll(() => site.close());

  test.each([
    ["", SEED],
    [" with cuts and lost messages", SEED + 1],
  ])(
    "of several backends%s all of them and a new one know the same, and nothing is lost, seed %i",
    { timeout: RUN_MS + 60_000 },
    async (faults, seed) => {
      const name = `q${seed}`;
      const proxies = await Promise.all(Array.from({ length: BACKENDS }, () => site.proxy()));
      const seams = await Promise.all(
        proxies.map(({ hosts }) => site.queue(name, { hosts, sessionTimeout: 10_000, commandTimeout: 1000 })),
      );
      const backends = seams.map(({ backend }) => backend);
      const until = Date.now() + RUN_MS;
      const hands = Array.from({ length: HANDS }, (_, at) => new Hand(seed * 100 + at, name, backends));
      await Promise.all([
        ...hands.map((hand) => hand.work(until)),
        faults === "" ? undefined : harm(proxies, new Dice(seed), until),
      ]);
      // Losses that are still armed, and what is due, are over.
      for (const { faults: each } of proxies) each.cut();
      await sleep(600);
      for (const seam of seams) await eventually(() => seam.stats(), { patience: 20_000 });

      const fresh = await site.queue(name);
      const wanted = await eventually(() => viewOf(fresh), { patience: 20_000 });
      for (const seam of seams) expect(await eventually(() => viewOf(seam), { patience: 20_000 })).toEqual(wanted);

      const { stats, lists } = wanted;
      const present = new Set(Object.values(lists).flatMap((jobs) => jobs.map(({ id }) => id)));
      const all = (which: "added" | "refused" | "over"): JobId[] => hands.flatMap((hand) => [...hand[which]]);
      const over = new Set(all("over"));
      expect(all("added").filter((id) => !present.has(id) && !over.has(id))).toEqual([]);
      expect([...all("refused"), ...over].filter((id) => present.has(id))).toEqual([]);
      expect(present.size + over.size).toBe(all("added").length);
      for (const state of STATES) expect([state, lists[state].length]).toEqual([state, stats[state]]);
      expect(stats.counters.put).toBe(all("added").length);
      expect(stats.counters.ack - stats.done).toBe(over.size);
      const events = [...backends, fresh.backend].flatMap((backend) => backend.events);
      expect(events.filter(({ type }) => type === "damage")).toEqual([]);
      expect(hands.reduce((sum, { lost }) => sum + lost, 0)).toBe(0);
      if (faults !== "") expect(hands.some(({ again }) => again > 0)).toBe(true);
    },
  );
});
