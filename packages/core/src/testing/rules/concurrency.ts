/** Many at once, on two connections: whatever the order in which the store serves them, each job has one fate. */
import assert from "node:assert/strict";
import { ack, bury, LONG, release, text, texts } from "../jobs.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { job, range, seam, type SeamQueue } from "../seam-queue.ts";

/** Two connections to one queue. */
async function pair(t: RuleContext): Promise<[SeamQueue, SeamQueue]> {
  return [await seam(t), await seam(t)];
}

/** `count` puts of one job, spread over both connections. */
async function putMany([a, b]: readonly [SeamQueue, SeamQueue], count: number, prefix = ""): Promise<string[]> {
  const names = range(count).map((index) => `${prefix}${index}`);
  await Promise.all(names.map((name, index) => (index % 2 === 0 ? a : b).put(job(name))));
  return names;
}

/** Every name exactly once. */
function assertEach(got: readonly string[], names: readonly string[], what: string): void {
  const counts = new Map<string, number>();
  for (const name of got) counts.set(name, (counts.get(name) ?? 0) + 1);
  const twice = [...counts].filter(([, count]) => count > 1).map(([name]) => name);
  assert.deepEqual(twice, [], `jobs were ${what} more than once`);
  const missing = names.filter((name) => !counts.has(name));
  assert.deepEqual(missing, [], `jobs were never ${what}`);
}

export const concurrency: readonly Rule[] = [
  {
    id: "concurrency.claimers-share-the-jobs",
    title: "of many consumers on two connections that take at once, exactly one gets each job", // tarantool O20, N29
    promise: "P6",
    async run(t) {
      const both = await pair(t);
      const names = await putMany(both, 120);
      const got: string[] = [];
      const claimer = async (q: SeamQueue, limit: number): Promise<void> => {
        for (let taken = await q.take(limit); taken.length > 0; taken = await q.take(limit)) {
          assert.ok(taken.length <= limit, "take gave more than its limit");
          got.push(...texts(taken));
        }
      };
      await Promise.all(range(8).map((index) => claimer(both[index % 2 === 0 ? 0 : 1], 1 + (index % 4))));
      assertEach(got, names, "delivered");
    },
  },
  {
    id: "concurrency.producers-and-consumers",
    title: "while producers and consumers work at once, every job is delivered once and acked", // pqueue P5
    promise: "P2",
    async run(t) {
      const both = await pair(t);
      const got: string[] = [];
      let produced = false;
      const consumer = async (q: SeamQueue): Promise<void> => {
        for (;;) {
          const last = produced;
          const taken = await q.take(3);
          got.push(...texts(taken));
          for (const one of taken) assert.equal(await q.ack(one), "gone", `the ack of job ${text(one)}`);
          if (last && taken.length === 0) return;
          if (taken.length === 0) await t.pass(1);
        }
      };
      const produce = async (): Promise<string[]> => {
        const names = await Promise.all(["a", "b", "c"].map((prefix) => putMany(both, 30, prefix)));
        produced = true;
        return names.flat();
      };
      const [names] = await Promise.all([produce(), consumer(both[0]), consumer(both[1]), consumer(both[0])]);
      assertEach(got, names, "delivered");
      const { ready, leased, counters } = await both[0].stats();
      assert.deepEqual([ready, leased, counters.put, counters.take, counters.ack], [0, 0, 90, 90, 90]);
    },
  },
  {
    id: "concurrency.one-settlement-wins",
    title: "of several settlements of one lease at once exactly one is done, and the job's state is the one it says", // mongoqueue, saferedisqueue E2
    promise: "P5",
    async run(t) {
      const [a, b] = await pair(t);
      for (const round of range(10)) {
        const name = `${round}`;
        await a.put(job(name));
        const held = await a.takeOne(name);
        const settlements = [ack(held), release(held), bury(held), ack(held)];
        const shifted = [...settlements.slice(round % 3), ...settlements.slice(0, round % 3)];
        const racing = shifted.map((item, index) => (index % 2 === 0 ? a : b).settle(item));
        const won = (await Promise.all(racing)).flat().filter((outcome) => outcome !== "lost");
        assert.equal(won.length, 1, `of four settlements of one lease ${won.length} were done: ${won.join(", ")}`);
        const state = (await a.find(held.id))?.state ?? "gone";
        assert.equal(state, won[0], "the state of the job is not the one that the settlement reported");
        await a.control("truncate");
      }
    },
  },
  {
    id: "concurrency.one-touch-or-settle",
    title: "a touch that races with an ack is done before it or lost after it, and never brings the job back", // mongoqueue F4
    promise: "P5",
    async run(t) {
      const [a, b] = await pair(t);
      for (const round of range(10)) {
        await a.put(job(`${round}`));
        const held = await a.takeOne(`${round}`);
        const early = round % 2 === 0 ? b.touch(held, LONG) : undefined;
        const acking = a.ack(held);
        await (early ?? b.touch(held, LONG));
        assert.equal(await acking, "gone", "an ack of a valid lease lost to a touch");
        assert.equal(await a.find(held.id), undefined, "a touch brought an acked job back");
      }
      const { leased, ready } = await a.stats();
      assert.deepEqual([ready, leased], [0, 0]);
    },
  },
  {
    id: "concurrency.racing-kicks-and-digs",
    title: "kicks and digs that race revive each buried job once",
    promise: "P8",
    async run(t) {
      const [a, b] = await pair(t);
      const names = await putMany([a, b], 12);
      for (const one of await a.take(12)) await a.bury(one);
      const ids = (await a.list("buried")).map(({ id }) => id);
      const revived = await Promise.all([
        a.kick(5),
        b.kick(5),
        a.dig(...ids.slice(3, 9)),
        b.dig(...ids.slice(5)),
        b.kick(9),
      ]);
      assert.equal(
        revived.reduce((sum, { count }) => sum + count, 0),
        12,
        "the counts of all calls are not the jobs that were buried",
      );
      assertEach(await a.takeNames(20), names, "revived");
    },
  },
  {
    id: "concurrency.racing-puts-of-one-key",
    title: "of puts of one key at once exactly one is added, and all others name it",
    promise: "api",
    needs: { capability: "keys" },
    async run(t) {
      const [a, b] = await pair(t);
      const jobs = range(10).map((index) => job(`${index}`, { key: "k" }));
      const outcomes = (await Promise.all(jobs.map((one, index) => (index % 2 === 0 ? a : b).put(one)))).flat();
      const added = jobs.filter((_, index) => outcomes[index]?.status === "added");
      assert.equal(added.length, 1, `${added.length} jobs of one key were added`);
      for (const outcome of outcomes) {
        if (outcome.status !== "added") assert.deepEqual(outcome, { status: "duplicate", id: added[0]?.id });
      }
      assert.equal((await a.list("ready")).length, 1);
    },
  },
  {
    id: "concurrency.touch-racing-expiry",
    title: "when a lease ends, its holder extends it or another takes the job over, never both", // seeded bug 17
    promise: "P6",
    async run(t) {
      const [a, b] = await pair(t);
      for (const late of [0, 1, 0, 1]) {
        await a.put(job("job"));
        const held = await a.takeOne("job", 50);
        await t.pass(50 - late);
        const take = b.take();
        const [taken, touched] = await Promise.all([take, a.touch(held, LONG)]);
        assert.ok(
          taken.length === 0 || touched === false,
          "a lease was extended after its job had been given to another",
        );
        const settled = await a.ack(held);
        assert.equal(settled === "lost", touched === false, "a lease that was extended is lost, or a lost one settles");
        await a.control("truncate");
      }
    },
  },
  {
    id: "concurrency.racing-deletes",
    title: "of a delete and an ack at once, or of two deletes, exactly one removes the job",
    promise: "P5",
    async run(t) {
      const [a, b] = await pair(t);
      for (const round of range(6)) {
        await a.put(job(`${round}`));
        const held = await a.takeOne(`${round}`);
        const [acked, first, second] = await Promise.all([a.ack(held), b.delete(held.id), a.delete(held.id)]);
        const removals = Number(acked === "gone") + first.count + second.count;
        assert.equal(removals, 1, `one job was removed ${removals} times`);
      }
      const { counters } = await a.stats();
      assert.equal(counters.ack + counters.delete, 6);
    },
  },
];
